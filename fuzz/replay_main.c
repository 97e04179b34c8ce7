/* The driver of a fuzz target in ordinary builds: every seed is given to the target whole, cut off
 * at up to CUTS lengths, and with one bit flipped at up to FLIPS places. All is deterministic, so
 * a failure comes back on the next run; the last line printed names the input that failed.
 *
 * usage: fuzz_X FILE-OR-FOLDER...   (an input that libFuzzer kept can be given by itself) */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CUTS = 256, FLIPS = 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t runs;

/* The target sees an allocation of exactly `size` bytes, so that reading past it is caught. */
static void run_one(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL) {
        abort();
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    runs++;
}

static void run_cuts(const uint8_t *data, size_t size) {
    size_t step = size / CUTS + 1;
    for (size_t length = 0; length < size; length += step) {
        run_one(data, length);
    }
}

/* The places are spread over the seed; which bit flips follows from the place. */
static void run_flips(uint8_t *data, size_t size) {
    size_t step = size / FLIPS + 1;
    for (size_t at = 0; at < size; at += step) {
        uint8_t bit = (uint8_t)(1u << ((at * 5 + at / 8) % 8));
        data[at] ^= bit;
        run_one(data, size);
        data[at] ^= bit;
    }
}

static int replay_file(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "cannot open '%s': %s\n", path, strerror(errno));
        return 1;
    }
    struct stat info;
    if (fstat(fileno(file), &info) != 0) {
        fprintf(stderr, "cannot stat '%s': %s\n", path, strerror(errno));
        fclose(file);
        return 1;
    }
    size_t size = (size_t)info.st_size;
    uint8_t *data = malloc(size > 0 ? size : 1);
    int failed = data == NULL || fread(data, 1, size, file) != size;
    fclose(file);
    if (failed) {
        fprintf(stderr, "cannot read '%s'\n", path);
    } else {
        printf("replaying %s (%zu bytes)\n", path, size);
        fflush(stdout);
        run_one(data, size);
        run_cuts(data, size);
        run_flips(data, size);
    }
    free(data);
    return failed;
}

static int replay_folder(const char *path) {
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0) {
        fprintf(stderr, "cannot list '%s': %s\n", path, strerror(errno));
        return 1;
    }
    int failed = 0;
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.') {
            char name[4096];
            snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
            failed |= replay_file(name);
        }
        free(entries[i]);
    }
    free(entries);
    return failed;
}

int main(int argc, char **argv) {
    int failed = argc < 2;
    for (int i = 1; i < argc; i++) {
        struct stat info;
        int folder = stat(argv[i], &info) == 0 && S_ISDIR(info.st_mode);
        failed |= folder ? replay_folder(argv[i]) : replay_file(argv[i]);
    }
    printf("%" PRIu64 " inputs\n", runs);
    return failed || runs == 0;
}
