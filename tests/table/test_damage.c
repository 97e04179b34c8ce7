/* A catalog that is cut off or has a bit flipped, anywhere: an error, or exactly what was there. */
#include "table_world.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FLIPS = 600, CUTS = 60 };

struct truth {
    uint8_t *bytes;
    size_t size;
    char path[SUPPORT_PATH_BYTES + 16];
    char answer[4096];
};

static stoa_status tell_snapshot(void *user, const stoa_snapshot_info *info, stoa_error *err) {
    char *text = user;
    size_t size = strlen(text);
    (void)err;
    (void)snprintf(text + size, 4096 - size, "  %" PRId64 "<-%" PRId64 " %s %" PRId64 " rows\n",
                   info->snapshot_id, info->parent_id, info->operation, info->row_count);
    return STOA_OK;
}

static stoa_status tell_file(void *user, const stoa_file_entry *file, stoa_error *err) {
    char *text = user;
    size_t size = strlen(text);
    (void)err;
    (void)snprintf(text + size, 4096 - size, "  %s %" PRId64 "\n", file->path, file->row_count);
    return STOA_OK;
}

struct telling {
    stoa_database *db;
    char *text;
};

static stoa_status tell_table(void *user, const stoa_table_info *info, stoa_error *err) {
    struct telling *telling = user;
    const stoa_schema *schema = NULL;
    char columns[256];
    size_t size = strlen(telling->text);
    STOA_TRY(stoa_table_schema(telling->db, info->name, &schema, err));
    (void)stoa_schema_print(schema, columns, sizeof columns);
    stoa_schema_close(schema);
    (void)snprintf(telling->text + size, 4096 - size, "%s %s %" PRId64 " (%s)\n", info->name,
                   info->kind, info->row_count, columns);
    STOA_TRY(stoa_table_snapshots(telling->db, info->name, tell_snapshot, telling->text, err));
    return stoa_table_files(telling->db, info->name, tell_file, telling->text, err);
}

/* Everything that a catalog says, as text. */
static stoa_status tell_all(const table_world *world, char *out, stoa_error *err) {
    stoa_database *db = NULL;
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    options.parent_pool = world->pool;
    options.read_only = true;
    out[0] = '\0';
    STOA_TRY(stoa_database_open(world->path, &options, &db, err));
    struct telling telling = {db, out};
    stoa_status status = stoa_tables_each(db, tell_table, &telling, err);
    stoa_database_close(db);
    return status;
}

static void put(const struct truth *truth, const uint8_t *bytes, size_t size) {
    FILE *file = fopen(truth->path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    char side[SUPPORT_PATH_BYTES + 32];
    (void)snprintf(side, sizeof side, "%s-wal", truth->path);
    (void)unlink(side);
    (void)snprintf(side, sizeof side, "%s-shm", truth->path);
    (void)unlink(side);
}

static void make_truth(table_world *world, struct truth *truth) {
    stoa_error err = STOA_ERROR_NONE;
    ok(table_load(world, NULL, "orders", STOA_CREATE, 0, 10, &err));
    for (int i = 1; i < 6; i++) {
        ok(table_load(world, NULL, "orders", STOA_APPEND, i * 10, 10, &err));
    }
    ok(table_load(world, NULL, "customers", STOA_CREATE, 0, 10, &err));
    ok(table_load(world, NULL, "customers", STOA_OVERWRITE, 0, 5, &err));
    ok(stoa_table_create(world->db, "empty", NULL, world->schema, &err));
    stoa_database_close(world->db);
    world->db = NULL;
    (void)snprintf(truth->path, sizeof truth->path, "%s/catalog.db", world->path);
    struct stat info;
    assert_int_equal(stat(truth->path, &info), 0);
    truth->size = (size_t)info.st_size;
    truth->bytes = malloc(truth->size);
    FILE *file = fopen(truth->path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(truth->bytes, 1, truth->size, file), truth->size);
    assert_int_equal(fclose(file), 0);
    ok(tell_all(world, truth->answer, &err));
}

static void look(table_world *world, const struct truth *truth, const char *what, size_t where,
                 int *errors) {
    stoa_error err = STOA_ERROR_NONE;
    char answer[4096];
    stoa_status status = tell_all(world, answer, &err);
    *errors += status != STOA_OK;
    if (status == STOA_OK && strcmp(answer, truth->answer) != 0) {
        fail_msg("%s at %zu went unnoticed:\n%s", what, where, answer);
    }
    if (status != STOA_OK && err.message[0] == '\0') {
        fail_msg("%s at %zu: no message", what, where);
    }
}

static void damage_is_found_or_harmless(void **state) {
    (void)state;
    static table_world world;
    static struct truth truth;
    table_world_init(&world, false);
    make_truth(&world, &truth);
    support_random random = support_random_open("table.damage");
    int errors = 0;
    for (int i = 0; i < FLIPS; i++) {
        size_t at = (size_t)support_random_below(&random, truth.size);
        /* Half of them in bytes that hold something. */
        while (i % 2 == 0 && truth.bytes[at] == 0) {
            at = (size_t)support_random_below(&random, truth.size);
        }
        uint8_t bit = (uint8_t)(1u << support_random_below(&random, 8));
        truth.bytes[at] ^= bit;
        put(&truth, truth.bytes, truth.size);
        look(&world, &truth, "a flipped bit", at, &errors);
        truth.bytes[at] ^= bit;
    }
    assert_true(errors > FLIPS / 10);
    for (int i = 0; i < CUTS; i++) {
        size_t size = (size_t)support_random_below(&random, truth.size);
        put(&truth, truth.bytes, size);
        look(&world, &truth, "a cut", size, &errors);
    }
    put(&truth, truth.bytes, truth.size);
    stoa_error err = STOA_ERROR_NONE;
    ok(table_world_try_open(&world, false, &err));
    assert_int_equal(table_rows(&world, NULL, "orders", 0), 60);
    free(truth.bytes);
    table_world_end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damage_is_found_or_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
