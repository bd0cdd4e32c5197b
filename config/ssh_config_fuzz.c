/*
 * Any text as the user's file (which may include itself): it is refused with an error entry, or
 * what is printed of it reads back and prints the same.
 */
#include "config/source_fake.h"
#include "config/ssh_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* True if the text was taken; out has what -G would print. */
static bool load(struct slice text, struct buf *out)
{
    struct fake_file files[] = {{"/home/u/.ssh/config", text}, {NULL, SLICE_NONE}};
    struct config_source source = FAKE_SOURCE(files);
    struct client_config_request request = {
        .host = "vps",
        .local_user = "u",
        .home = "/home/u",
        .user_file = "/home/u/.ssh/config",
        .source = &source,
    };
    struct client_options o;
    struct report report;
    client_options_init(&o);
    report_init(&report);
    enum err result = client_options_load(&o, &request, &report);
    CHECK((result == OK) == (report_error(&report) == NULL));
    if (result == OK)
        result = client_options_print(&o, out);
    report_done(&report);
    client_options_done(&o);
    return result == OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf first, second;
    buf_init(&first, CONFIG_FILE_MAX / 4);
    buf_init(&second, CONFIG_FILE_MAX / 4);
    if (load(slice_of(data, size), &first)) {
        CHECK(load(buf_slice(&first), &second));
        CHECK(slice_equal(buf_slice(&first), buf_slice(&second)));
    }
    buf_done(&first);
    buf_done(&second);
    return 0;
}
