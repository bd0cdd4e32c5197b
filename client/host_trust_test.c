/* Trust: every mode against every finding, the words, and files that survive being written. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/host_trust.h"
#include "tests/unit.h"

/* clang-format off */
#define KEY_A "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEIu7jWA6++ZMR7ZmmcCRJHyaSao/ABGcDNfJ1EcV1FV"
#define KEY_B "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIERXO6/dUmc5vVoPMGOE0fw6ilrIxa9S0nzS0qCTpxHs"
#define KEY_EC "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBLibByzpPoJMyk17h+jjgZtpqXTxGrUu88amfI9v6e5YnqgC50tD8tuMjjpYZgjwRgCXPtTr1y2LafaFxWXimLM="
/* clang-format on */
#define PRINT_A "SHA256:Gf1cQBA7vh27DlJXzunYZlrbhYyeWkwe4on3N5CFIQw" /* by ssh-keygen -l */

struct fixture {
    struct crypto *crypto;
    struct rng *rng;
    struct buf key_a;
    char folder[64];
    char *user, *global;
    struct string_list user_files, global_files;
    struct host_trust_request request;
};

static int setup(void **state)
{
    struct fixture *f = NEW(struct fixture);
    struct slice type, comment;
    f->crypto = crypto_new();
    f->rng = rng_new_seeded(7);
    buf_init(&f->key_a, PUBKEY_BLOB_MAX);
    assert_ok(pubkey_line_parse(slice_text(KEY_A), &type, &f->key_a, &comment));
    (void)snprintf(f->folder, sizeof(f->folder), "/tmp/adit-trust-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->user = mem_printf("%s/known_hosts", f->folder);
    f->global = mem_printf("%s/ssh_known_hosts", f->folder);
    string_list_init(&f->user_files);
    string_list_init(&f->global_files);
    string_list_add(&f->user_files, f->user);
    string_list_add(&f->global_files, f->global);
    f->request = (struct host_trust_request){
        .crypto = f->crypto,
        .rng = f->rng,
        .host = "box.example",
        .address = "192.0.2.1",
        .port = 22,
        .key = buf_slice(&f->key_a),
        .strict = STRICT_ASK,
        .user_files = &f->user_files,
        .global_files = &f->global_files,
    };
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char *command CLEANUP(mem_cleanup) = mem_printf("rm -rf '%s'", f->folder);
    assert_int_equal(system(command), 0);
    string_list_done(&f->user_files);
    string_list_done(&f->global_files);
    mem_free(f->user);
    mem_free(f->global);
    buf_done(&f->key_a);
    rng_free(f->rng);
    crypto_free(f->crypto);
    mem_free(f);
    return 0;
}

static void file_put(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static char *file_get(const char *path)
{
    static const size_t most = 1 << 20;
    char *text = mem_new(most, 1);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    text[fread(text, 1, most - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
    return text;
}

static void file_is(const char *path, const char *expected)
{
    char *text CLEANUP(mem_cleanup) = file_get(path);
    assert_string_equal(text, expected);
}

static void has(const char *text, const char *part)
{
    if (!text || !strstr(text, part))
        fail_msg("no \"%s\" in \"%s\"", part, text ? text : "");
}

static void test_each_mode_meets_each_finding(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *user_text;
        enum host_trust_verdict no, accept_new, ask, yes;
    } rows[] = {
        {"", HOST_TRUST_ADDED, HOST_TRUST_ADDED, HOST_TRUST_ASK, HOST_TRUST_REFUSED},
        {"other " KEY_A "\n", HOST_TRUST_ADDED, HOST_TRUST_ADDED, HOST_TRUST_ASK,
         HOST_TRUST_REFUSED},
        {"@cert-authority * " KEY_A "\n", HOST_TRUST_ADDED, HOST_TRUST_ADDED, HOST_TRUST_ASK,
         HOST_TRUST_REFUSED},
        {"box.example " KEY_A "\n", HOST_TRUST_VERIFIED, HOST_TRUST_VERIFIED, HOST_TRUST_VERIFIED,
         HOST_TRUST_VERIFIED},
        {"box.example " KEY_B "\n", HOST_TRUST_REFUSED, HOST_TRUST_REFUSED, HOST_TRUST_REFUSED,
         HOST_TRUST_REFUSED},
        {"box.example " KEY_EC "\n", HOST_TRUST_REFUSED, HOST_TRUST_REFUSED, HOST_TRUST_ASK,
         HOST_TRUST_REFUSED},
        {"box.example " KEY_A "\n@revoked * " KEY_A "\n", HOST_TRUST_REFUSED, HOST_TRUST_REFUSED,
         HOST_TRUST_REFUSED, HOST_TRUST_REFUSED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const enum host_trust_verdict wanted[] = {
            [STRICT_NO] = rows[i].no,
            [STRICT_ACCEPT_NEW] = rows[i].accept_new,
            [STRICT_ASK] = rows[i].ask,
            [STRICT_YES] = rows[i].yes,
        };
        for (int mode = STRICT_NO; mode <= STRICT_YES; mode++) {
            struct host_trust_answer answer;
            file_put(f->user, rows[i].user_text);
            f->request.strict = (enum strict_host_key)mode;
            host_trust_check(&f->request, &answer);
            if (answer.verdict != wanted[mode])
                fail_msg("row %zu mode %d: %d (%s)", i, mode, (int)answer.verdict,
                         answer.text ? answer.text : "");
            assert_int_equal(answer.text == NULL, answer.verdict == HOST_TRUST_VERIFIED);
            assert_string_equal(answer.fingerprint, PRINT_A);
            host_trust_answer_done(&answer);
            if (wanted[mode] != HOST_TRUST_ADDED)
                file_is(f->user, rows[i].user_text);
        }
    }
}

static void test_a_changed_key_is_told_loudly(void **state)
{
    struct fixture *f = *state;
    struct host_trust_answer answer;
    file_put(f->global, "# one\n[box.example]:2222 " KEY_B "\n");
    f->request.port = 2222;
    f->request.strict = STRICT_NO;
    host_trust_check(&f->request, &answer);
    assert_int_equal(answer.verdict, HOST_TRUST_REFUSED);
    has(answer.text, "WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!");
    has(answer.text, PRINT_A);
    char *place CLEANUP(mem_cleanup) = mem_printf("Offending ED25519 key in %s:2\n", f->global);
    char *command CLEANUP(mem_cleanup) =
        mem_printf("ssh-keygen -f \"%s\" -R \"[box.example]:2222\"", f->global);
    has(answer.text, place);
    has(answer.text, command);
    assert_int_equal(answer.place.line, 2);
    assert_string_equal(answer.place.file, f->global);
    host_trust_answer_done(&answer);
}

static void test_the_question_is_openssh_s(void **state)
{
    struct fixture *f = *state;
    struct host_trust_answer answer;
    host_trust_check(&f->request, &answer);
    assert_int_equal(answer.verdict, HOST_TRUST_ASK);
    assert_string_equal(answer.text,
                        "The authenticity of host 'box.example (192.0.2.1)' can't be established.\n"
                        "ED25519 key fingerprint is " PRINT_A ".\n"
                        "This key is not known by any other names.\n"
                        "Are you sure you want to continue connecting (yes/no/[fingerprint])? ");
    host_trust_answer_done(&answer);

    file_put(f->user, "other " KEY_A "\n[box.example]:2222 " KEY_EC "\n");
    f->request.port = 2222;
    host_trust_check(&f->request, &answer);
    assert_int_equal(answer.verdict, HOST_TRUST_ASK);
    has(answer.text, "'[box.example]:2222 ([192.0.2.1]:2222)' can't be established,\n"
                     "but keys of different type are already known for this host");
    char *other CLEANUP(mem_cleanup) = mem_printf("    %s:1\n", f->user);
    has(answer.text, other);
    host_trust_answer_done(&answer);

    f->request.batch_mode = true;
    host_trust_check(&f->request, &answer);
    assert_int_equal(answer.verdict, HOST_TRUST_REFUSED);
    host_trust_answer_done(&answer);
}

static void test_a_host_without_port_vouches_for_its_ports_but_not_for_an_alias(void **state)
{
    struct fixture *f = *state;
    struct host_trust_answer answer;
    f->request.port = 2222;
    f->request.strict = STRICT_YES;
    file_put(f->user, "box.example " KEY_A "\n");
    host_trust_check(&f->request, &answer);
    assert_int_equal(answer.verdict, HOST_TRUST_VERIFIED);
    host_trust_answer_done(&answer);
    f->request.is_alias = true;
    host_trust_check(&f->request, &answer);
    assert_int_equal(answer.verdict, HOST_TRUST_REFUSED);
    host_trust_answer_done(&answer);
    /* Another key without a port says nothing of this port: it stays new. */
    f->request.is_alias = false;
    f->request.strict = STRICT_ASK;
    file_put(f->user, "box.example " KEY_B "\n");
    host_trust_check(&f->request, &answer);
    assert_int_equal(answer.verdict, HOST_TRUST_ASK);
    host_trust_answer_done(&answer);
}

static void test_yes_is_written_and_then_verified(void **state)
{
    struct fixture *f = *state;
    struct host_trust_answer answer;
    for (int hashed = 0; hashed < 2; hashed++) {
        f->request.hash_known_hosts = hashed;
        file_put(f->user, "");
        host_trust_accept(&f->request, &answer);
        assert_int_equal(answer.verdict, HOST_TRUST_ADDED);
        assert_string_equal(answer.text, "Warning: Permanently added 'box.example' (ED25519) to "
                                         "the list of known hosts.");
        host_trust_answer_done(&answer);
        host_trust_check(&f->request, &answer);
        assert_int_equal(answer.verdict, HOST_TRUST_VERIFIED);
        host_trust_answer_done(&answer);
        char *text CLEANUP(mem_cleanup) = file_get(f->user);
        assert_int_equal(strncmp(text, "|1|", 3) == 0, hashed);
    }
}

static void test_where_nothing_can_be_kept_it_is_said(void **state)
{
    struct fixture *f = *state;
    static const char *const paths[] = {"none", "/dev/null", "/proc/none/known_hosts"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct host_trust_answer answer;
        string_list_done(&f->user_files);
        string_list_add(&f->user_files, paths[i]);
        f->request.strict = STRICT_ACCEPT_NEW;
        host_trust_check(&f->request, &answer);
        assert_int_equal(answer.verdict, HOST_TRUST_ACCEPTED_UNWRITTEN);
        assert_non_null(answer.text);
        host_trust_answer_done(&answer);
    }
    struct stat status;
    assert_int_equal(stat("/dev/null", &status), 0);
    assert_true(S_ISCHR(status.st_mode));
}

static void test_what_cannot_be_read_is_not_taken_for_empty(void **state)
{
    struct fixture *f = *state;
    struct host_trust_answer answer;
    assert_int_equal(mkdir(f->global, 0700), 0); /* reading it fails even for root */
    f->request.strict = STRICT_ACCEPT_NEW;
    host_trust_check(&f->request, &answer);
    assert_int_equal(answer.verdict, HOST_TRUST_REFUSED);
    has(answer.text, "cannot be read");
    host_trust_answer_done(&answer);
    file_put(f->user, "box.example " KEY_A "\n");
    host_trust_check(&f->request, &answer);
    assert_int_equal(answer.verdict, HOST_TRUST_VERIFIED);
    host_trust_answer_done(&answer);
}

static void test_a_broken_key_is_refused(void **state)
{
    struct fixture *f = *state;
    struct host_trust_answer answer;
    for (size_t length = 0; length < f->key_a.end - f->key_a.start; length++) {
        f->request.key = slice_of(buf_slice(&f->key_a).ptr, length);
        f->request.strict = STRICT_NO;
        host_trust_check(&f->request, &answer);
        assert_int_equal(answer.verdict, HOST_TRUST_REFUSED);
        host_trust_answer_done(&answer);
        host_trust_accept(&f->request, &answer);
        assert_int_equal(answer.verdict, HOST_TRUST_REFUSED);
        host_trust_answer_done(&answer);
    }
    assert_int_equal(access(f->user, F_OK), -1);
}

static void test_algorithms_of_known_keys_come_first(void **state)
{
    struct fixture *f = *state;
    static const char offered[] =
        "ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256,unheard-of";
    char *list = host_trust_order_algorithms(&f->request, offered);
    assert_string_equal(list, offered);
    mem_free(list);
    file_put(f->user, "box.example " KEY_EC "\nother " KEY_A "\n@revoked box.example " KEY_B "\n");
    list = host_trust_order_algorithms(&f->request, offered);
    assert_string_equal(list,
                        "ecdsa-sha2-nistp256,ssh-ed25519,rsa-sha2-512,rsa-sha2-256,unheard-of");
    mem_free(list);
    f->request.port = 2222; /* the line without a port counts, as it would verify */
    list = host_trust_order_algorithms(&f->request, offered);
    assert_string_equal(list,
                        "ecdsa-sha2-nistp256,ssh-ed25519,rsa-sha2-512,rsa-sha2-256,unheard-of");
    mem_free(list);
}

static mode_t mode_of(const char *path)
{
    struct stat status;
    assert_int_equal(lstat(path, &status), 0);
    return status.st_mode & 07777;
}

static void test_files_keep_mode_links_and_lines(void **state)
{
    struct fixture *f = *state;
    char *deep CLEANUP(mem_cleanup) = mem_printf("%s/.ssh/known_hosts", f->folder);
    char *folder CLEANUP(mem_cleanup) = mem_printf("%s/.ssh", f->folder);
    char *link CLEANUP(mem_cleanup) = mem_printf("%s/link", f->folder);
    assert_ok(host_trust_file_add(deep, "first\n"));
    file_is(deep, "first\n");
    assert_int_equal(mode_of(folder), 0700);
    assert_int_equal(mode_of(deep), 0600);

    file_put(deep, "no newline");
    assert_int_equal(chmod(deep, 0640), 0);
    assert_int_equal(symlink(".ssh/known_hosts", link), 0);
    assert_ok(host_trust_file_add(link, "added\n"));
    file_is(deep, "no newline\nadded\n");
    assert_int_equal(mode_of(deep), 0640);
    struct stat status;
    assert_int_equal(lstat(link, &status), 0);
    assert_true(S_ISLNK(status.st_mode));

    assert_int_equal(unlink(deep), 0); /* a link that points nowhere yet */
    assert_ok(host_trust_file_add(link, "again\n"));
    file_is(deep, "again\n");
    char *left CLEANUP(mem_cleanup) =
        mem_printf("test $(ls -A '%s' | wc -l) = 1", folder); /* no temporary file stays */
    assert_int_equal(system(left), 0);
}

#define WRITERS          8
#define LINES_PER_WRITER 25

static void test_writers_side_by_side_lose_no_line(void **state)
{
    struct fixture *f = *state;
    pid_t children[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] > 0)
            continue;
        for (int j = 0; j < LINES_PER_WRITER; j++) {
            char *line = mem_printf("writer-%d-%d.\n", i, j);
            if (host_trust_file_add(f->user, line) != OK)
                _exit(1);
            mem_free(line);
        }
        _exit(0);
    }
    for (int i = 0; i < WRITERS; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    char *text CLEANUP(mem_cleanup) = file_get(f->user);
    size_t lines = 0;
    for (const char *at = text; *at; at++)
        lines += *at == '\n' ? 1 : 0;
    assert_int_equal(lines, WRITERS * LINES_PER_WRITER);
    for (int i = 0; i < WRITERS * LINES_PER_WRITER; i++) {
        char *line CLEANUP(mem_cleanup) = mem_printf("writer-%d-%d.\n", i % WRITERS, i / WRITERS);
        has(text, line);
    }
}

static void test_an_address_is_checked_and_learned_where_that_is_wanted(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        enum strict_host_key strict;
        bool checks;
        enum host_trust_verdict verdict;
        const char *said; /* NULL: nothing */
        bool is_written;
    } rows[] = {
        {"box.example " KEY_A "\n", STRICT_YES, false, HOST_TRUST_VERIFIED, NULL, false},
        {"box.example " KEY_A "\n", STRICT_YES, true, HOST_TRUST_VERIFIED,
         "Permanently added the ED25519 host key for IP address '192.0.2.1'", true},
        {"box.example,192.0.2.1 " KEY_A "\n", STRICT_YES, true, HOST_TRUST_VERIFIED, NULL, false},
        {"box.example " KEY_A "\n192.0.2.1 " KEY_B "\n", STRICT_YES, true, HOST_TRUST_REFUSED,
         "differs from the key for the IP address '192.0.2.1'", false},
        {"box.example " KEY_A "\n192.0.2.1 " KEY_B "\n", STRICT_NO, true, HOST_TRUST_VERIFIED,
         "differs from the key for the IP address '192.0.2.1'", false},
        {"box.example " KEY_A "\n@revoked 192.0.2.1 " KEY_A "\n", STRICT_NO, true,
         HOST_TRUST_REFUSED, "REVOKED", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct host_trust_answer answer;
        file_put(f->user, rows[i].text);
        f->request.strict = rows[i].strict;
        f->request.checks_address = rows[i].checks;
        host_trust_check(&f->request, &answer);
        assert_int_equal(answer.verdict, rows[i].verdict);
        if (rows[i].said)
            has(answer.text, rows[i].said);
        else
            assert_null(answer.text);
        host_trust_answer_done(&answer);
        char *longer CLEANUP(mem_cleanup) =
            mem_printf("%s%s", rows[i].text, rows[i].is_written ? "192.0.2.1 " KEY_A "\n" : "");
        file_is(f->user, longer);
    }
}

static void test_certificates_come_first_where_an_authority_is_known(void **state)
{
    struct fixture *f = *state;
    static const char all[] = "ssh-ed25519,rsa-sha2-512-cert-v01@openssh.com,ecdsa-sha2-nistp256,"
                              "ssh-ed25519-cert-v01@openssh.com";
    file_put(f->user, "box.example " KEY_EC "\n");
    char *list = host_trust_order_algorithms(&f->request, all);
    assert_string_equal(list, "ecdsa-sha2-nistp256,ssh-ed25519,rsa-sha2-512-cert-v01@openssh.com,"
                              "ssh-ed25519-cert-v01@openssh.com");
    mem_free(list);
    file_put(f->global, "@cert-authority *.example " KEY_B "\n");
    list = host_trust_order_algorithms(&f->request, all);
    assert_string_equal(list, "rsa-sha2-512-cert-v01@openssh.com,ssh-ed25519-cert-v01@openssh.com,"
                              "ecdsa-sha2-nistp256,ssh-ed25519");
    mem_free(list);
}

static void test_lines_are_taken_out_and_the_rest_is_not_touched(void **state)
{
    struct fixture *f = *state;
    struct stat before, after;
    const struct slice keys[] = {buf_slice(&f->key_a)};
    const struct known_hosts_wish wish = {f->crypto, "box.example", keys, 1};
    file_put(f->user, "# mine\nbox.example " KEY_B "\nother " KEY_B " x\nbox.example " KEY_A);
    assert_int_equal(chmod(f->user, 0640), 0);
    assert_ok(host_trust_file_update(f->user, &wish, "box.example line\n"));
    file_is(f->user, "# mine\nother " KEY_B " x\nbox.example " KEY_A "\nbox.example line\n");
    assert_int_equal(stat(f->user, &before), 0);
    assert_int_equal(before.st_mode & 07777, 0640);
    /* Nothing to do: the file stays what it was, not only its bytes. */
    assert_ok(host_trust_file_update(f->user, &wish, ""));
    assert_int_equal(stat(f->user, &after), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    assert_ok(host_trust_file_update(f->global, &wish, ""));
    assert_int_not_equal(access(f->global, F_OK), 0); /* not made for nothing */
    assert_int_equal(host_trust_file_update("/dev/null", &wish, "x\n"), ERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_mode_meets_each_finding, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_changed_key_is_told_loudly, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_question_is_openssh_s, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_host_without_port_vouches_for_its_ports_but_not_for_an_alias, setup, teardown),
        cmocka_unit_test_setup_teardown(test_yes_is_written_and_then_verified, setup, teardown),
        cmocka_unit_test_setup_teardown(test_where_nothing_can_be_kept_it_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_read_is_not_taken_for_empty, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_broken_key_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_algorithms_of_known_keys_come_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files_keep_mode_links_and_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_writers_side_by_side_lose_no_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_address_is_checked_and_learned_where_that_is_wanted,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_certificates_come_first_where_an_authority_is_known,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_lines_are_taken_out_and_the_rest_is_not_touched, setup,
                                        teardown),
    };
    return RUN_TESTS(tests);
}
