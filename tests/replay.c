/*
 * Gives files to a fuzz entry point, without a fuzzer: each file whole, cut at every length up to a
 * bound, and with single bytes changed. Arguments: folders.
 */
#include <dirent.h>
#include <stdio.h>

#include "base/buf.h"

#define FILE_MAX (256 * 1024)
#define CUTS_MAX 400

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In memory of its own size, so that a sanitizer sees one byte too far. */
static void give(const uint8_t *bytes, size_t n)
{
    uint8_t *copy = mem_resize(NULL, n ? n : 1, 1);
    if (n)
        memcpy(copy, bytes, n);
    (void)LLVMFuzzerTestOneInput(copy, n);
    mem_free(copy);
}

static void replay(uint8_t *bytes, size_t n)
{
    size_t step = n / CUTS_MAX + 1;
    give(bytes, n);
    for (size_t at = 0; at < n; at += step) {
        give(bytes, at);
        bytes[at] ^= 0x81;
        give(bytes, n);
        bytes[at] ^= 0x81;
    }
}

static bool replay_file(const char *folder, const char *name)
{
    char *path CLEANUP(mem_cleanup) = mem_printf("%s/%s", folder, name);
    uint8_t *bytes CLEANUP(mem_cleanup) = mem_new(FILE_MAX, 1);
    FILE *file = fopen(path, "rbe");
    if (!file)
        return false;
    size_t n = fread(bytes, 1, FILE_MAX, file);
    bool is_read = !ferror(file);
    if (fclose(file) != 0 || !is_read)
        return false;
    replay(bytes, n);
    return true;
}

/* The number of files; -1: one could not be read. */
static int replay_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    int count = 0;
    if (!dir)
        return -1;
    while (count >= 0 && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        count = replay_file(folder, entry->d_name) ? count + 1 : -1;
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        int count = replay_folder(argv[i]);
        if (count <= 0) {
            fprintf(stderr, "%s: no corpus\n", argv[i]);
            return 1;
        }
        printf("%s: %d files\n", argv[i], count);
    }
    return argc > 1 ? 0 : 1;
}
