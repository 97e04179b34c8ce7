/* Temporary directories, removed when the program ends, also after a failed test. */
#include "support.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIRECTORIES_MAX = 64 };
static char directories[DIRECTORIES_MAX][SUPPORT_PATH_BYTES];
static int directory_count;
static pid_t owner;

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where) {
    (void)info;
    (void)where;
    return kind == FTW_DP ? rmdir(path) : unlink(path);
}

static void remove_all(void) {
    /* A child that exits must not take its parent's files away. */
    for (int i = 0; i < directory_count && getpid() == owner; i++) {
        (void)nftw(directories[i], remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
}

void support_temp_directory(char out[SUPPORT_PATH_BYTES]) {
    const char *parent = getenv("STOA_TMP");
    parent = parent != NULL && parent[0] != '\0' ? parent : getenv("TMPDIR");
    parent = parent != NULL && parent[0] != '\0' ? parent : P_tmpdir;
    assert_true(directory_count < DIRECTORIES_MAX);
    int length = snprintf(out, SUPPORT_PATH_BYTES, "%s/stoa-test-XXXXXX", parent);
    assert_true(length > 0 && length < SUPPORT_PATH_BYTES);
    assert_non_null(mkdtemp(out));
    if (directory_count == 0) {
        owner = getpid();
        assert_int_equal(atexit(remove_all), 0);
    }
    (void)snprintf(directories[directory_count++], SUPPORT_PATH_BYTES, "%s", out);
}
