/* Any bytes as a database's catalog: whatever is read from it is checked, and nothing of it leads to
 * a crash, or to the removal of a file outside the database. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "table/table.h"
#include "vfs/vfs.h"

static char directory[256];

static void remove_directory(void) {
    stoa_pool *pool = NULL;
    stoa_fs_registry *registry = NULL;
    if (stoa_pool_create(0, NULL, &pool, NULL) == STOA_OK &&
        stoa_fs_registry_create(pool, &registry, NULL) == STOA_OK) {
        STOA_IGNORE(stoa_vfs_remove_tree(registry, directory, NULL, NULL));
    }
    stoa_fs_registry_close(registry);
    stoa_pool_close(pool);
}

static void make_directory(void) {
    const char *root = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
    (void)snprintf(directory, sizeof directory, "%.200s/stoa-fuzz-XXXXXX",
                   root == NULL ? "/tmp" : root);
    if (mkdtemp(directory) == NULL) {
        abort();
    }
    (void)atexit(remove_directory);
}

static void put_catalog(const uint8_t *data, size_t size) {
    char path[300];
    static const char *const folders[] = {"tables", "tmp", "leases"};
    static const char *const sides[] = {"-wal", "-shm", "-journal"};
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", directory, folders[i]);
        (void)mkdir(path, 0755);
        (void)snprintf(path, sizeof path, "%s/catalog.db%s", directory, sides[i]);
        (void)unlink(path);
    }
    (void)snprintf(path, sizeof path, "%s/catalog.db", directory);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        abort();
    }
}

static stoa_status ignore_snapshot(void *user, const stoa_snapshot_info *info, stoa_error *err) {
    (void)user;
    (void)info;
    (void)err;
    return STOA_OK;
}

struct names {
    char names[8][256];
    int count;
};

static stoa_status note_table(void *user, const stoa_table_info *info, stoa_error *err) {
    struct names *names = user;
    (void)err;
    if (names->count < 8) {
        (void)snprintf(names->names[names->count++], 256, "%s", info->name);
    }
    return STOA_OK;
}

static void use(stoa_database *db, bool change) {
    struct names names = {.count = 0};
    stoa_error err = STOA_ERROR_NONE;
    STOA_IGNORE(stoa_tables_each(db, note_table, &names, &err));
    for (int i = 0; i < names.count; i++) {
        stoa_plan *plan = NULL;
        STOA_IGNORE(stoa_table_plan(db, NULL, names.names[i], NULL, NULL, &plan, &err));
        stoa_plan_close(plan);
        STOA_IGNORE(stoa_table_snapshots(db, names.names[i], ignore_snapshot, NULL, &err));
        if (change) {
            STOA_IGNORE(stoa_table_expire(db, names.names[i], INT64_MAX, NULL, &err));
            STOA_IGNORE(stoa_table_drop(db, names.names[i], &err));
        }
    }
    STOA_IGNORE(stoa_database_verify(db, NULL, NULL, NULL, NULL, NULL, NULL, &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (directory[0] == '\0') {
        make_directory();
    }
    put_catalog(data, size);
    for (int change = 0; change < 2; change++) {
        stoa_database *db = NULL;
        stoa_error err = STOA_ERROR_NONE;
        stoa_database_options options = STOA_DATABASE_DEFAULT;
        options.read_only = change == 0;
        options.busy_timeout_ms = 1;
        stoa_status status = stoa_database_open(directory, &options, &db, &err);
        if (status == STOA_OK) {
            use(db, change != 0);
        } else if (err.message[0] == '\0') {
            abort();
        }
        stoa_database_close(db);
    }
    return 0;
}
