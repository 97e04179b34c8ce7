/* Temporary directories, removed when the program ends, also after a failed test. */
#include "support.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[SUPPORT_PATH_BYTES - 16]; /* of this program; "" until the first is asked for */
static int directory_count;
static pid_t owner;

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where) {
    (void)info;
    (void)where;
    return kind == FTW_DP ? rmdir(path) : unlink(path);
}

static void remove_all(void) {
    /* A child that exits must not take its parent's files away. */
    if (getpid() == owner) {
        (void)nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
}

static void make_root(void) {
    const char *parent = getenv("STOA_TMP");
    parent = parent != NULL && parent[0] != '\0' ? parent : getenv("TMPDIR");
    parent = parent != NULL && parent[0] != '\0' ? parent : P_tmpdir;
    int length = snprintf(root, sizeof root, "%s/stoa-test-XXXXXX", parent);
    assert_true(length > 0 && (size_t)length < sizeof root);
    assert_non_null(mkdtemp(root));
    owner = getpid();
    assert_int_equal(atexit(remove_all), 0);
}

void support_temp_directory(char out[SUPPORT_PATH_BYTES]) {
    if (root[0] == '\0') {
        make_root();
    }
    int length = snprintf(out, SUPPORT_PATH_BYTES, "%s/%d", root, ++directory_count);
    assert_true(length > 0 && length < SUPPORT_PATH_BYTES);
    assert_int_equal(mkdir(out, 0700), 0);
}
