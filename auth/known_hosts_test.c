/*
 * known_hosts lines and texts. Keys were made for this test by ssh-keygen, and the hashed lines
 * are ssh-keygen -H's of "box.example" and "[box.example]:2222".
 */
#include "auth/known_hosts.h"
#include "tests/unit.h"

/* clang-format off */
#define KEY_A  "AAAAC3NzaC1lZDI1NTE5AAAAIEIu7jWA6++ZMR7ZmmcCRJHyaSao/ABGcDNfJ1EcV1FV"
#define KEY_B  "AAAAC3NzaC1lZDI1NTE5AAAAIERXO6/dUmc5vVoPMGOE0fw6ilrIxa9S0nzS0qCTpxHs"
#define KEY_EC "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBLibByzpPoJMyk17h+jjgZtpqXTxGrUu88amfI9v6e5YnqgC50tD8tuMjjpYZgjwRgCXPtTr1y2LafaFxWXimLM="
#define ED     "ssh-ed25519 "
#define EC     "ecdsa-sha2-nistp256 "
#define HASHED_PLAIN "|1|ScEYhjF1Uh7G+RDC9eMcsZBNEIw=|UVZ1nq/tweaF4huEw0ZROOgCQ20="
#define HASHED_PORT  "|1|hKygNszEMsMiUcTCxvX+qNAukHE=|x0phLsPYaCn7uaPrYeylRIFTWG8="
/* clang-format on */

struct fixture {
    struct crypto *crypto;
    struct buf key_a, key_b, key_ec;
};

static void key_load(struct buf *blob, const char *base64)
{
    char *line CLEANUP(mem_cleanup) = mem_printf("%s", base64);
    buf_init(blob, PUBKEY_BLOB_MAX);
    struct slice type, comment;
    assert_ok(pubkey_line_parse(slice_text(line), &type, blob, &comment));
}

static int setup(void **state)
{
    struct fixture *f = NEW(struct fixture);
    f->crypto = crypto_new();
    assert_non_null(f->crypto);
    key_load(&f->key_a, ED KEY_A);
    key_load(&f->key_b, ED KEY_B);
    key_load(&f->key_ec, EC KEY_EC);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    buf_done(&f->key_a);
    buf_done(&f->key_b);
    buf_done(&f->key_ec);
    crypto_free(f->crypto);
    mem_free(f);
    return 0;
}

static bool is_for(struct fixture *f, const char *names, const char *host, uint16_t port)
{
    struct known_hosts_line line;
    char *text CLEANUP(mem_cleanup) = mem_printf("%s " ED KEY_A " some comment", names);
    char *name CLEANUP(mem_cleanup) = known_hosts_name(host, port);
    assert_ok(known_hosts_line_parse(slice_text(text), &line));
    assert_true(slice_is(line.comment, "some comment"));
    bool result = known_hosts_line_is_for(&line, f->crypto, name);
    known_hosts_line_done(&line);
    return result;
}

static void test_names_match_as_openssh_says(void **state)
{
    static const struct {
        const char *names, *host;
        uint16_t port;
        bool matches;
    } rows[] = {
        {"box.example", "box.example", 22, true},
        {"BOX.Example", "box.example", 22, true},
        {"box.example", "box.example.org", 22, false},
        {"box.example", "box.example", 2222, false},
        {"a,box.example,b", "box.example", 22, true},
        {"*.example", "box.example", 22, true},
        {"*.example", "example", 22, false},
        {"b?x.example", "box.example", 22, true},
        {"b?x.example", "boox.example", 22, false},
        {"*.example,!box.example", "box.example", 22, false},
        {"!box.example,*.example", "box.example", 22, false},
        {"!other.example,*.example", "box.example", 22, true},
        {"!box.example", "other", 22, false},
        {"[box.example]:2222", "box.example", 2222, true},
        {"[box.example]:2222", "box.example", 22, false},
        {"[box.example]:2222", "box.example", 2223, false},
        {"[*.example]:2222", "box.example", 2222, true},
        {"*", "box.example", 2222, true},
        {"[::1]:2222", "::1", 2222, true},
        {"192.0.2.1", "192.0.2.1", 22, true},
        {"192.0.2.?", "192.0.2.1", 22, true},
        {HASHED_PLAIN, "box.example", 22, true},
        {HASHED_PLAIN, "BOX.example", 22, true},
        {HASHED_PLAIN, "box.exampl", 22, false},
        {HASHED_PLAIN, "box.example", 2222, false},
        {HASHED_PORT, "box.example", 2222, true},
        {HASHED_PORT, "box.example", 22, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (is_for(*state, rows[i].names, rows[i].host, rows[i].port) != rows[i].matches)
            fail_msg("%s against %s port %u", rows[i].names, rows[i].host, (unsigned)rows[i].port);
    }
}

static void test_lines_are_parsed_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        enum known_hosts_marker marker;
    } rows[] = {
        {"", ERR_NOT_FOUND, 0},
        {"  \t ", ERR_NOT_FOUND, 0},
        {"# box " ED KEY_A, ERR_NOT_FOUND, 0},
        {"   # box", ERR_NOT_FOUND, 0},
        {"box " ED KEY_A, OK, KNOWN_HOSTS_NO_MARKER},
        {" \tbox\t" ED "\t" KEY_A "\r", OK, KNOWN_HOSTS_NO_MARKER},
        {"@revoked box " ED KEY_A, OK, KNOWN_HOSTS_REVOKED_MARKER},
        {"@cert-authority * " ED KEY_A, OK, KNOWN_HOSTS_CERT_AUTHORITY},
        {"@Revoked box " ED KEY_A, ERR_FORMAT, 0},
        {"@unknown box " ED KEY_A, ERR_FORMAT, 0},
        {"@revoked", ERR_FORMAT, 0},
        {"@revoked box", ERR_FORMAT, 0},
        {"box", ERR_FORMAT, 0},
        {"box " ED, ERR_FORMAT, 0},
        {"box " EC KEY_A, ERR_FORMAT, 0},
        {"box " ED "AAAA", ERR_FORMAT, 0},
        {"box " ED "!!!!", ERR_FORMAT, 0},
        {"box 1024 35 1234567", ERR_FORMAT, 0},
        {"box\x01 " ED KEY_A, ERR_FORMAT, 0},
        {"|1|AAAA|AAAA " ED KEY_A, ERR_FORMAT, 0},
        {"|2|ScEYhjF1Uh7G+RDC9eMcsZBNEIw=|UVZ1nq/tweaF4huEw0ZROOgCQ20= " ED KEY_A, ERR_FORMAT, 0},
        {"|1|ScEYhjF1Uh7G+RDC9eMcsZBNEIw= " ED KEY_A, ERR_FORMAT, 0},
        {HASHED_PLAIN "|x " ED KEY_A, ERR_FORMAT, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct known_hosts_line line;
        enum err err = known_hosts_line_parse(slice_text(rows[i].text), &line);
        if (err != rows[i].err || (err == OK && line.marker != rows[i].marker))
            fail_msg("%s: %s", rows[i].text, err_name(err));
        known_hosts_line_done(&line);
    }
    struct known_hosts_line line;
    static const char with_nul[] = "bo\0x " ED KEY_A;
    assert_int_equal(known_hosts_line_parse(slice_of(with_nul, sizeof(with_nul) - 1), &line),
                     ERR_FORMAT);
    known_hosts_line_done(&line);
}

/* Of a valid line, every beginning and every changed byte: parsed or refused, never a crash. */
static void test_no_cut_or_flip_harms(void **state)
{
    struct fixture *f = *state;
    char text[] = "@revoked " HASHED_PLAIN " " ED KEY_A " note\n";
    struct known_hosts_line line;
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++) {
        char *cut CLEANUP(mem_cleanup) = mem_strndup(text, i);
        if (known_hosts_line_parse(slice_of(cut, i), &line) == OK)
            assert_true(known_hosts_line_is_for(&line, f->crypto, "box.example"));
        known_hosts_line_done(&line);
        for (int bit = 0; bit < 8; bit++) {
            struct known_hosts_search s;
            text[i] = (char)(text[i] ^ 1 << bit);
            assert_ok(
                known_hosts_search_init(&s, f->crypto, "box.example", 22, buf_slice(&f->key_b)));
            known_hosts_search_text(&s, "f", slice_of(text, length));
            /* Nothing here is key B, and no changed bit makes it so. */
            assert_true(s.result == KNOWN_HOSTS_NEW || s.result == KNOWN_HOSTS_CHANGED);
            known_hosts_search_done(&s);
            text[i] = (char)(text[i] ^ 1 << bit);
        }
    }
}

static const char world[] = "# ours\n"
                            "box.example " ED KEY_A "\n"
                            "box.example " EC KEY_EC "\n"
                            "damaged line\n"
                            "\n"
                            "@revoked bad.example " ED KEY_B "\n"
                            "bad.example " ED KEY_B "\n"
                            "@cert-authority ca.example " ED KEY_A "\n"
                            "two.example " ED KEY_B "\n"
                            "two.example " ED KEY_A;

static void test_a_text_answers_for_a_host_and_key(void **state)
{
    struct fixture *f = *state;
    const struct {
        const char *host;
        uint16_t port;
        const struct buf *key;
        enum known_hosts_result result;
        unsigned line;
        const char *types;
    } rows[] = {
        {"box.example", 22, &f->key_a, KNOWN_HOSTS_MATCH, 2, "ssh-ed25519,ecdsa-sha2-nistp256"},
        {"box.example", 22, &f->key_b, KNOWN_HOSTS_CHANGED, 2, "ssh-ed25519,ecdsa-sha2-nistp256"},
        {"box.example", 2222, &f->key_a, KNOWN_HOSTS_NEW, 0, ""},
        {"other.example", 22, &f->key_a, KNOWN_HOSTS_NEW, 0, ""},
        {"bad.example", 22, &f->key_b, KNOWN_HOSTS_REVOKED, 6, "ssh-ed25519"},
        {"bad.example", 22, &f->key_a, KNOWN_HOSTS_CHANGED, 7, "ssh-ed25519"},
        {"ca.example", 22, &f->key_a, KNOWN_HOSTS_NEW, 0, ""},
        {"two.example", 22, &f->key_a, KNOWN_HOSTS_MATCH, 10, "ssh-ed25519"},
        {"two.example", 22, &f->key_b, KNOWN_HOSTS_MATCH, 9, "ssh-ed25519"},
        {"two.example", 22, &f->key_ec, KNOWN_HOSTS_NEW, 0, "ssh-ed25519"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct known_hosts_search s;
        assert_ok(known_hosts_search_init(&s, f->crypto, rows[i].host, rows[i].port,
                                          buf_slice(rows[i].key)));
        known_hosts_search_text(&s, "empty", SLICE_NONE);
        known_hosts_search_text(&s, "world", slice_text(world));
        assert_int_equal(s.result, rows[i].result);
        assert_int_equal(s.place.line, rows[i].line);
        if (rows[i].line)
            assert_string_equal(s.place.file, "world");
        assert_true(slice_is(buf_slice(&s.types), rows[i].types));
        assert_int_equal(s.bad_lines, 1);
        known_hosts_search_done(&s);
    }
}

static void test_the_heaviest_of_several_files_decides(void **state)
{
    struct fixture *f = *state;
    static const char *const texts[] = {"h " ED KEY_B "\n", "h " ED KEY_A "\n",
                                        "@revoked * " ED KEY_A "\n"};
    static const enum known_hosts_result results[] = {KNOWN_HOSTS_CHANGED, KNOWN_HOSTS_MATCH,
                                                      KNOWN_HOSTS_REVOKED};
    for (int backwards = 0; backwards < 2; backwards++) {
        struct known_hosts_search s;
        assert_ok(known_hosts_search_init(&s, f->crypto, "h", 22, buf_slice(&f->key_a)));
        for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
            size_t at = backwards ? ARRAY_LEN(texts) - 1 - i : i;
            known_hosts_search_text(&s, texts[at], slice_text(texts[at]));
            assert_int_equal(s.result, results[backwards ? 2 : i]);
            assert_string_equal(s.place.file, texts[backwards ? 2 : i]);
        }
        known_hosts_search_done(&s);
    }
}

static void test_other_names_of_a_key_are_told(void **state)
{
    struct fixture *f = *state;
    struct known_hosts_search s;
    assert_ok(known_hosts_search_init(&s, f->crypto, "new", 22, buf_slice(&f->key_a)));
    s.is_other_wanted = true;
    for (int i = 0; i < 10; i++)
        known_hosts_search_text(&s, "world", slice_text(world));
    assert_int_equal(s.result, KNOWN_HOSTS_NEW);
    assert_int_equal(s.other_count, KNOWN_HOSTS_OTHERS_MAX);
    assert_int_equal(s.others[0].line, 2);
    assert_int_equal(s.others[1].line, 10);
    known_hosts_search_done(&s);
}

static void test_a_key_without_a_type_is_refused(void **state)
{
    struct fixture *f = *state;
    struct known_hosts_search s;
    char *line;
    assert_int_equal(known_hosts_search_init(&s, f->crypto, "h", 22, slice_text("abc")),
                     ERR_FORMAT);
    known_hosts_search_done(&s);
    assert_int_equal(known_hosts_line_format(&line, f->crypto, NULL, "h", 22, slice_text("abc")),
                     ERR_FORMAT);
    assert_null(line);
}

static void test_a_written_line_is_found_again(void **state)
{
    struct fixture *f = *state;
    struct rng *rng = rng_new_seeded(1);
    for (int hashed = 0; hashed < 2; hashed++) {
        for (uint16_t port = 22; port < 24; port++) {
            struct known_hosts_search s;
            char *line CLEANUP(mem_cleanup) = NULL;
            assert_ok(known_hosts_line_format(&line, f->crypto, hashed ? rng : NULL, "host.name",
                                              port, buf_slice(&f->key_a)));
            assert_int_equal(strstr(line, "host.name") == NULL, hashed);
            assert_true(line[strlen(line) - 1] == '\n');
            assert_ok(
                known_hosts_search_init(&s, f->crypto, "host.name", port, buf_slice(&f->key_a)));
            known_hosts_search_text(&s, "f", slice_text(line));
            assert_int_equal(s.result, KNOWN_HOSTS_MATCH);
            known_hosts_search_done(&s);
        }
    }
    rng_free(rng);
    char *line CLEANUP(mem_cleanup) = NULL;
    assert_ok(known_hosts_line_format(&line, f->crypto, NULL, "h", 2222, buf_slice(&f->key_a)));
    assert_string_equal(line, "[h]:2222 " ED KEY_A "\n");
}

static void test_a_host_that_would_mean_more_is_not_written(void **state)
{
    struct fixture *f = *state;
    static const char *const hosts[] = {"",    "a b", "a,b", "*",    "a?",    "!a",  "#a",
                                        "@ca", "|1|", "a\n", "a\tb", "a\x7f", "\x01"};
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        char *line;
        assert_int_equal(
            known_hosts_line_format(&line, f->crypto, NULL, hosts[i], 22, buf_slice(&f->key_a)),
            ERR_FORMAT);
        assert_null(line);
    }
}

static void test_what_a_host_is_to_have_is_compared_and_pruned(void **state)
{
    struct fixture *f = *state;
    const struct slice keys[] = {buf_slice(&f->key_a), buf_slice(&f->key_ec)};
    const struct known_hosts_wish wish = {f->crypto, "[box.example]:2222", keys, 2};
    static const struct {
        const char *text, *pruned; /* NULL: all of it stays */
        struct known_hosts_state state;
    } rows[] = {
        {"", NULL, {0}},
        {"[box.example]:2222 " ED KEY_A " mine\n# x\n", NULL, {.present = 1}},
        {HASHED_PORT " " EC KEY_EC, NULL, {.present = 2}},
        {"a " ED KEY_B "\n[box.example]:2222 " ED KEY_B "\r\n\nrest",
         "a " ED KEY_B "\n\nrest",
         {.superfluous = 1}},
        {"[box.example]:2222,1.2.3.4 " ED KEY_B, "", {.superfluous = 1}},
        {"[box.example]:2222,1.2.3.4,c " ED KEY_A, NULL, {.present = 1, .is_complex = true}},
        {"[*.example]:2222 " ED KEY_A, NULL, {.present = 1, .is_complex = true}},
        {"box.example " ED KEY_A "\n", NULL, {.has_other = true}},
        {"@revoked * " ED KEY_B "\n@cert-authority * " ED KEY_A "\n", NULL, {0}},
        {"[box.example]:2222 " ED "damaged\n", NULL, {0}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct known_hosts_state found = {0};
        struct buf out;
        struct slice text = slice_text(rows[i].text);
        buf_init(&out, text.len + 1);
        known_hosts_state_add(&found, &wish, text);
        assert_int_equal(found.present, rows[i].state.present);
        assert_int_equal(found.superfluous, rows[i].state.superfluous);
        assert_int_equal(found.is_complex, rows[i].state.is_complex);
        assert_int_equal(found.has_other, rows[i].state.has_other);
        assert_ok(known_hosts_text_prune(text, &wish, &out));
        assert_true(slice_is(buf_slice(&out), rows[i].pruned ? rows[i].pruned : rows[i].text));
        buf_done(&out);
    }
}

static void test_an_authority_is_found_for_its_hosts_and_revoked_ones_too(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        bool found, has;
        enum known_hosts_result result;
    } rows[] = {
        {"@cert-authority *.example " ED KEY_B "\n", true, true, KNOWN_HOSTS_NEW},
        {"@cert-authority other " ED KEY_B "\n", false, false, KNOWN_HOSTS_NEW},
        {"@cert-authority * " EC KEY_EC "\n", false, true, KNOWN_HOSTS_NEW},
        {"* " ED KEY_B "\n", false, false, KNOWN_HOSTS_CHANGED}, /* no marker: a key */
        {"@cert-authority * " ED KEY_B "\n@revoked * " ED KEY_B, true, true, KNOWN_HOSTS_REVOKED},
        {"@cert-authority * " ED KEY_A "\n", false, true, KNOWN_HOSTS_NEW}, /* the key's own */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct known_hosts_search s;
        assert_ok(known_hosts_search_init(&s, f->crypto, "box.example", 22, buf_slice(&f->key_a)));
        s.authority = buf_slice(&f->key_b);
        known_hosts_search_text(&s, "f", slice_text(rows[i].text));
        assert_int_equal(s.authority_place.file != NULL, rows[i].found);
        assert_int_equal(s.has_authorities, rows[i].has);
        assert_int_equal(s.result, rows[i].result);
        known_hosts_search_done(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_match_as_openssh_says),
        cmocka_unit_test(test_lines_are_parsed_or_refused),
        cmocka_unit_test(test_no_cut_or_flip_harms),
        cmocka_unit_test(test_a_text_answers_for_a_host_and_key),
        cmocka_unit_test(test_the_heaviest_of_several_files_decides),
        cmocka_unit_test(test_other_names_of_a_key_are_told),
        cmocka_unit_test(test_a_key_without_a_type_is_refused),
        cmocka_unit_test(test_a_written_line_is_found_again),
        cmocka_unit_test(test_a_host_that_would_mean_more_is_not_written),
        cmocka_unit_test(test_what_a_host_is_to_have_is_compared_and_pruned),
        cmocka_unit_test(test_an_authority_is_found_for_its_hosts_and_revoked_ones_too),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
