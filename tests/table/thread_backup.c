/* Backups and clones while others commit: each is one moment of the catalog and of the state tables. */
#include "backup_world.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

enum { BACKUPS = 6, ROUND = 4, COMMITS_MAX = 200 /* so that a slow machine comes to an end */ };

struct writer {
    table_world *world;
    atomic_bool stops, rests;
    int64_t count; /* commits to each table */
    stoa_status status;
    stoa_error err;
};

/* A row into "s", then one into "p": at no moment does "p" have more, and "s" at most one more. Now and
 * then a state table comes and goes. */
static stoa_status write_rows(struct writer *writer, stoa_error *err) {
    table_world *world = writer->world;
    while (!atomic_load(&writer->stops) && writer->count < COMMITS_MAX) {
        const int64_t id = writer->count;
        while (atomic_load(&writer->rests)) {
            (void)usleep(1000);
        }
        STOA_TRY(backup_put_rows(world, "s", id, 1, err));
        STOA_TRY(table_load(world, NULL, "p", STOA_APPEND, id, 1, err));
        writer->count++;
        if (id % ROUND == 0) {
            STOA_TRY(stoa_state_create(world->db, "t", world->schema, &backup_by_id, err));
            STOA_TRY(backup_put_rows(world, "t", 0, 10, err));
        } else if (id % ROUND == ROUND - 1) {
            STOA_TRY(stoa_table_drop(world->db, "t", err));
        }
    }
    return STOA_OK;
}

static void *write_all(void *user) {
    struct writer *writer = user;
    writer->status = write_rows(writer, &writer->err);
    return NULL;
}

static void check_copy(backup_world *world, const char *name, int64_t *inout_rows) {
    table_world copy;
    backup_open_copy(world, name, &copy);
    const table_sums data = table_sum(&copy, NULL, "p", 0), state = table_sum(&copy, NULL, "s", 0);
    assert_true(data.count >= *inout_rows);
    assert_true(state.count == data.count || state.count == data.count + 1);
    assert_int_equal(data.sum, table_range_sum(0, data.count));
    assert_int_equal(state.sum, table_range_sum(0, state.count));
    *inout_rows = data.count;
    backup_close_copy(&copy);
}

struct maker {
    backup_world *world;
    struct writer *writer;
    stoa_database *reader;
};

static stoa_status make_copy(const struct maker *maker, bool clones, const char *path,
                             stoa_database *database, stoa_error *err) {
    return clones ? stoa_database_clone(database, path, NULL, NULL, err)
                  : stoa_backup_add(maker->world->backup, database, NULL, NULL, err);
}

/* Who may not write cannot make others wait, and needs a moment's rest on a slow machine. */
static void copy_by(const struct maker *maker, bool reads, bool clones, const char *path) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_database *database = reads ? maker->reader : maker->world->table.db;
    stoa_status status = make_copy(maker, clones, path, database, &err);
    if (reads && status == STOA_CONFLICT) {
        atomic_store(&maker->writer->rests, true);
        status = make_copy(maker, clones, path, database, &err);
        atomic_store(&maker->writer->rests, false);
    }
    ok(status);
}

/* By the handle that writes, and by one that only reads, as another process would. */
static void each_is_one_moment(void **state) {
    static backup_world world;
    static struct writer writer;
    stoa_error err = STOA_ERROR_NONE;
    stoa_database *reader = NULL;
    pthread_t thread;
    int64_t rows = 0, cloned = 0;
    (void)state;
    backup_world_init(&world);
    ok(stoa_state_create(world.table.db, "s", world.table.schema, &backup_by_id, &err));
    ok(table_load(&world.table, NULL, "p", STOA_CREATE, 0, 0, &err));
    const stoa_database_options options = {.read_only = true, .parent_pool = world.table.pool};
    ok(stoa_database_open(world.table.path, &options, &reader, &err));
    writer = (struct writer){.world = &world.table, .err = STOA_ERROR_NONE};
    const struct maker maker = {&world, &writer, reader};
    assert_int_equal(pthread_create(&thread, NULL, write_all, &writer), 0);
    for (int i = 0; i < BACKUPS; i++) {
        char name[32], path[SUPPORT_PATH_BYTES + 64];
        copy_by(&maker, i % 2 != 0, false, NULL);
        (void)snprintf(name, sizeof name, "clone-%d", i);
        backup_world_path(&world, name, path);
        copy_by(&maker, i % 2 == 0, true, path);
    }
    atomic_store(&writer.stops, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    ok(stoa_backup_verify(world.backup, 0, NULL, NULL, NULL, NULL, NULL, &err));
    err = writer.err;
    ok(writer.status);
    for (int i = 0; i < BACKUPS; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "copy-%d", i);
        backup_restore(&world, i + 1, name);
        check_copy(&world, name, &rows);
        (void)snprintf(name, sizeof name, "clone-%d", i);
        check_copy(&world, name, &cloned);
    }
    stoa_database_close(reader);
    backup_world_end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_one_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
