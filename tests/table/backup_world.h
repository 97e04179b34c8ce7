/* A database with a Parquet table of two snapshots and a state table, and backups of it. */
#ifndef STOA_TESTS_BACKUP_WORLD_H
#define STOA_TESTS_BACKUP_WORLD_H

#include <stdlib.h>

#include <stoa/backup.h>
#include <stoa/state.h>

#include "table_world.h"

typedef struct backup_world {
    table_world table;
    char parent[SUPPORT_PATH_BYTES]; /* holds the database, the backup, and what is made of it */
    char backup_path[SUPPORT_PATH_BYTES + 16];
    stoa_backup *backup;
} backup_world;

static const stoa_state_table_options backup_by_id = {.key = "id"};

static inline void backup_world_init(backup_world *world) {
    stoa_error err = STOA_ERROR_NONE;
    char parent[SUPPORT_PATH_BYTES];
    table_world_init(&world->table, false);
    memcpy(parent, world->table.path, sizeof parent);
    *strrchr(parent, '/') = '\0';
    memcpy(world->parent, parent, sizeof parent);
    (void)snprintf(world->backup_path, sizeof world->backup_path, "%s/backup", parent);
    const stoa_backup_options options = {.parent_pool = world->table.pool};
    ok(stoa_backup_open(world->backup_path, &options, &world->backup, &err));
}

static inline void backup_world_end(backup_world *world) {
    stoa_backup_close(world->backup);
    table_world_end(&world->table);
}

/// "<parent>/<name>"
static inline void backup_world_path(const backup_world *world, const char *name,
                                     char out[SUPPORT_PATH_BYTES + 64]) {
    (void)snprintf(out, SUPPORT_PATH_BYTES + 64, "%s/%s", world->parent, name);
}

static inline stoa_status backup_put_rows(table_world *world, const char *table, int64_t first,
                                          int64_t count, stoa_error *err) {
    const stoa_sink_options options = {.mode = STOA_UPSERT};
    stoa_sink *sink = NULL;
    STOA_TRY(stoa_sink_open(world->db, table, &options, &sink, err));
    stoa_status status = table_write_rows(sink, world->pool, &world->arrow, first, count, err);
    if (status == STOA_OK) {
        status = stoa_sink_commit(sink, NULL, err);
    }
    stoa_sink_close(sink);
    return status;
}

/// Rows [0, 20) of "p", of which [0, 10) are an earlier snapshot, and [100, 130) of "s", of which 10 are in
/// memory.
static inline void backup_make_tables(table_world *world) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_state *state = NULL;
    ok(table_load(world, NULL, "p", STOA_CREATE, 0, 10, &err));
    ok(table_load(world, NULL, "p", STOA_APPEND, 10, 10, &err));
    ok(stoa_state_create(world->db, "s", world->schema, &backup_by_id, &err));
    ok(backup_put_rows(world, "s", 100, 20, &err));
    ok(stoa_state_open(world->db, "s", &state, &err));
    ok(stoa_state_flush(state, &err));
    stoa_state_close(state);
    ok(backup_put_rows(world, "s", 120, 10, &err));
}

static inline stoa_backup_info backup_add(backup_world *world) {
    stoa_error err = STOA_ERROR_NONE;
    stoa_backup_info info = {0};
    ok(stoa_backup_add(world->backup, world->table.db, NULL, &info, &err));
    return info;
}

static inline void backup_restore(backup_world *world, int64_t generation, const char *name) {
    stoa_error err = STOA_ERROR_NONE;
    char path[SUPPORT_PATH_BYTES + 64];
    backup_world_path(world, name, path);
    ok(stoa_backup_restore(world->backup, generation, path, NULL, NULL, &err));
}

/// The database of this name beside the first, with the same pool and schema; backup_close_copy ends it.
static inline void backup_open_copy(backup_world *world, const char *name, table_world *copy) {
    stoa_error err = STOA_ERROR_NONE;
    *copy = world->table;
    copy->db = NULL;
    (void)snprintf(copy->path, sizeof copy->path, "%.400s/%.64s", world->parent, name);
    ok(table_world_try_open(copy, false, &err));
    ok(stoa_database_verify(copy->db, NULL, NULL, NULL, NULL, NULL, NULL, &err));
}

static inline void backup_close_copy(table_world *copy) {
    stoa_database_close(copy->db);
}

typedef struct backup_snapshots {
    int count;
    int64_t first_id;
} backup_snapshots;

static inline stoa_status backup_note_snapshot(void *user, const stoa_snapshot_info *info,
                                               stoa_error *err) {
    backup_snapshots *found = user;
    (void)err;
    found->first_id = found->count == 0 ? info->snapshot_id : found->first_id;
    found->count++;
    return STOA_OK;
}

static inline backup_snapshots backup_list_snapshots(table_world *world, const char *table) {
    stoa_error err = STOA_ERROR_NONE;
    backup_snapshots found = {0};
    ok(stoa_table_snapshots(world->db, table, backup_note_snapshot, &found, &err));
    return found;
}

/// What backup_make_tables made, its earlier snapshot too; and that the copy can be written.
static inline void backup_assert_tables(table_world *copy) {
    stoa_error err = STOA_ERROR_NONE;
    table_assert_range(copy, NULL, "p", 0, 20);
    table_assert_range(copy, NULL, "s", 100, 30);
    const backup_snapshots found = backup_list_snapshots(copy, "p");
    assert_int_equal(found.count, 2);
    assert_int_equal(table_sum(copy, NULL, "p", found.first_id).count, 10);
    ok(backup_put_rows(copy, "s", 130, 5, &err));
    ok(table_load(copy, NULL, "p", STOA_APPEND, 20, 5, &err));
    table_assert_range(copy, NULL, "s", 100, 35);
    table_assert_range(copy, NULL, "p", 0, 25);
}

#endif
