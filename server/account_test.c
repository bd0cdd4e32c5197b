/* Key files of an account: where they are, and who may have written them. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/account.h"
#include "tests/unit.h"

struct home {
    char path[64], file[96];
    struct account account;
};

static int make_home(void **state)
{
    struct home *h = NEW(struct home);
    snprintf(h->path, sizeof(h->path), "%s", "/tmp/account_test_XXXXXX");
    assert_non_null(mkdtemp(h->path));
    char *folder CLEANUP(mem_cleanup) = mem_printf("%s/.ssh", h->path);
    assert_int_equal(mkdir(folder, 0700), 0);
    snprintf(h->file, sizeof(h->file), "%s/.ssh/keys", h->path);
    FILE *f = fopen(h->file, "w");
    assert_non_null(f);
    fputs("text\n", f);
    fclose(f);
    assert_int_equal(chmod(h->file, 0600), 0);
    account_set(&h->account, "alice", h->path, getuid());
    *state = h;
    return 0;
}

static int remove_home(void **state)
{
    struct home *h = *state;
    char *folder CLEANUP(mem_cleanup) = mem_printf("%s/.ssh", h->path);
    (void)unlink(h->file);
    (void)rmdir(folder);
    (void)rmdir(h->path);
    account_done(&h->account);
    mem_free(h);
    return 0;
}

static enum err open_keys(struct home *h, bool is_strict)
{
    int fd;
    struct account_fault why;
    enum err err = account_open_keys(&h->account, h->file, is_strict, &fd, &why);
    assert_int_equal(err == OK, fd >= 0);
    if (fd >= 0)
        close(fd);
    else
        assert_true(why.text[0] != '\0');
    return err;
}

static void paths_are_expanded_and_relative_to_home(void **state)
{
    struct home *h = *state;
    struct account_fault why;
    char *path;
    assert_ok(account_keys_path(&h->account, ".ssh/keys", &path, &why));
    assert_string_equal(path, h->file);
    mem_free(path);
    assert_ok(account_keys_path(&h->account, "/etc/keys/%u/%%", &path, &why));
    assert_string_equal(path, "/etc/keys/alice/%");
    mem_free(path);
    assert_ok(account_keys_path(&h->account, "%h/.ssh/keys", &path, &why));
    assert_string_equal(path, h->file);
    mem_free(path);
    assert_int_equal(account_keys_path(&h->account, "%Z", &path, &why), ERR_CONFIG);
    assert_null(path);
}

static void a_file_of_ones_own_is_opened(void **state)
{
    assert_ok(open_keys(*state, true));
}

static void what_others_may_write_is_refused(void **state)
{
    struct home *h = *state;
    char *folder CLEANUP(mem_cleanup) = mem_printf("%s/.ssh", h->path);
    assert_int_equal(chmod(h->file, 0660), 0);
    assert_int_equal(open_keys(h, true), ERR_DENIED);
    assert_ok(open_keys(h, false));
    assert_int_equal(chmod(h->file, 0644), 0);
    assert_ok(open_keys(h, true));
    assert_int_equal(chmod(folder, 0777), 0);
    assert_int_equal(open_keys(h, true), ERR_DENIED);
    assert_int_equal(chmod(folder, 0700), 0);
    assert_int_equal(chmod(h->path, 0770), 0);
    assert_int_equal(open_keys(h, true), ERR_DENIED);
    assert_int_equal(chmod(h->path, 0700), 0);
    assert_ok(open_keys(h, true));
}

static void what_belongs_to_another_is_refused(void **state)
{
    struct home *h = *state;
    if (getuid() == 0)
        assert_int_equal(chown(h->file, 12345, (gid_t)-1), 0);
    else
        h->account.uid = getuid() + 1; /* seen from another account, it is another's too */
    assert_int_equal(open_keys(h, true), ERR_DENIED);
    assert_ok(open_keys(h, false));
}

static void a_missing_file_or_a_directory_is_no_key_file(void **state)
{
    struct home *h = *state;
    assert_int_equal(unlink(h->file), 0);
    assert_int_equal(open_keys(h, true), ERR_NOT_FOUND);
    assert_int_equal(mkdir(h->file, 0700), 0);
    assert_int_equal(open_keys(h, true), ERR_DENIED);
    assert_int_equal(open_keys(h, false), ERR_DENIED);
    assert_int_equal(rmdir(h->file), 0);
}

static void an_unknown_account_is_unknown(void **state UNUSED)
{
    struct account a;
    account_find("no such account, surely", &a);
    assert_false(a.is_known);
    assert_true(a.uid == (uid_t)-1);
    account_done(&a);
    account_find("root", &a);
    assert_true(a.is_known);
    assert_int_equal(a.uid, 0);
    account_done(&a);
}

#define WITH_HOME(test_) cmocka_unit_test_setup_teardown(test_, make_home, remove_home)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOME(paths_are_expanded_and_relative_to_home),
        WITH_HOME(a_file_of_ones_own_is_opened),
        WITH_HOME(what_others_may_write_is_refused),
        WITH_HOME(what_belongs_to_another_is_refused),
        WITH_HOME(a_missing_file_or_a_directory_is_no_key_file),
        cmocka_unit_test(an_unknown_account_is_unknown),
    };
    return RUN_TESTS(tests);
}
