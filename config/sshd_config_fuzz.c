/*
 * Any text as the server's file: it is refused with an error entry, or what is printed of it, with
 * the defaults or without, reads back and prints the same; resolving it for a connection never
 * fails after it was loaded.
 */
#include "config/source_fake.h"
#include "config/sshd_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct connection_facts somebody = {
    .user = "anna",
    .host = "home.example.org",
    .address = "192.0.2.7",
    .local_address = "198.51.100.1",
    .local_port = 22,
};

static bool load(struct slice text, struct buf *whole, struct buf *given)
{
    struct fake_file files[] = {{"/etc/ssh/sshd_config", text}, {NULL, SLICE_NONE}};
    struct config_source source = FAKE_SOURCE(files);
    struct server_config_request request = {files[0].path, NULL, &source};
    struct sshd_config *config;
    struct report report;
    report_init(&report);
    enum err result = sshd_config_load(&request, &config, &report);
    CHECK((result == OK) == (config != NULL) && (result == OK) == (report_error(&report) == NULL));
    const struct connection_facts *whom[] = {&somebody, NULL};
    for (size_t i = 0; config != NULL && i < ARRAY_LEN(whom); i++) {
        struct server_options o;
        server_options_init(&o);
        CHECK(sshd_config_resolve(config, whom[i], &o, &report) == OK);
        CHECK(o.listen_address_count > 0);
        (void)server_options_may_log_in(&o, &somebody);
        buf_clear(whole);
        buf_clear(given);
        result = server_options_print(&o, whole);
        CHECK(result != OK || server_options_print_given(&o, given) == OK);
        server_options_done(&o);
    }
    sshd_config_free(config);
    report_done(&report);
    return result == OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf first, second, given, unused;
    struct buf *const bufs[] = {&first, &second, &given, &unused};
    for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
        buf_init(bufs[i], CONFIG_FILE_MAX / 4);
    if (load(slice_of(data, size), &first, &given)) {
        CHECK(load(buf_slice(&first), &second, &unused));
        CHECK(slice_equal(buf_slice(&first), buf_slice(&second)));
        CHECK(load(buf_slice(&given), &second, &unused));
        CHECK(slice_equal(buf_slice(&first), buf_slice(&second)));
    }
    for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
        buf_done(bufs[i]);
    return 0;
}
