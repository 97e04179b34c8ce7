/* The contract of file systems over S3: with the server of the tests in small pages, or (in the
 * judge) over another one. */
#include "contract.h"

#include <stdio.h>

#include "s3_world.h"

static void open_s3(contract_world *world) {
    static const char *const small_pages[] = {"--page", "3", NULL};
    s3_world *s3 = test_calloc(1, sizeof *s3);
    stoa_fs fs;
    s3_world_open(s3, small_pages);
    world->user = s3;
    assert_ok(stoa_fs_s3_create(world->pool, &s3->options, &fs, &world->err), world->err);
    assert_ok(stoa_fs_register(world->registry, "s3", fs, &world->err), world->err);
    (void)snprintf(world->base, sizeof world->base, "%s", s3->base);
}

static void close_s3(contract_world *world) {
    s3_world_close(world->user);
    test_free(world->user);
}

int main(void) {
    static const contract_subject subjects[] = {
        {.name = "s3",
         .open = open_s3,
         .close = close_s3,
         .features = STOA_FS_WHOLE_WRITES | STOA_FS_NO_DIRECTORIES | STOA_FS_REMOTE,
         .lacks = CONTRACT_LACKS_APPEND | CONTRACT_LACKS_UPDATE | CONTRACT_LACKS_TRUNCATE |
                  CONTRACT_LACKS_LINK | CONTRACT_LACKS_LOCK | CONTRACT_LACKS_MAP,
         .ways = CONTRACT_NAMES_ARE_UTF8 | CONTRACT_OPEN_FILES_CHANGE,
         .name_bytes_max = -1},
    };
    return contract_run(subjects, 1);
}
