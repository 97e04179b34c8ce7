/* Repairing a store. Everything is looked at first. If nothing is damaged nothing is written. Else what is
 * new is written beside what there is, a manifest last, and then `CURRENT` is renamed over: until that
 * moment the store is as damaged as it was, and repair can begin again. */
#include "lsm/repair.h"

#include <inttypes.h>
#include <time.h>

#include "lsm/repair_internal.h"
#include "lsm/wal_read.h"

enum { EXAMINE_TRIES = 3 };
static const struct timespec try_wait = {.tv_nsec = 10 * 1000 * 1000};

void stoa_repair_report(stoa_repair *repair, int64_t table_id, stoa_error *damage) {
    const stoa_store_repair_options *options = repair->options;
    damage->status = STOA_CORRUPT;
    repair->result.damage_count++;
    if (options->function != NULL && !repair->is_trying) {
        options->function(options->user, table_id, damage);
    }
    stoa_error_clear(damage);
}

stoa_repair_table *stoa_repair_find_table(const stoa_repair *repair, int64_t id) {
    for (int32_t i = 0; i < repair->table_count; i++) {
        if (repair->tables[i].id == id) {
            return &repair->tables[i];
        }
    }
    return NULL;
}

/* ---- Looking --------------------------------------------------------------------------------- */

static stoa_status load_tables(stoa_repair *repair, stoa_error *err) {
    const stoa_manifest_state *state = &repair->contents.state;
    STOA_TRY(stoa_arena_allocate_array(&repair->arena, (size_t)state->table_count + 1,
                                       sizeof *repair->tables, (void **)&repair->tables, err));
    for (int32_t i = 0; i < state->table_count; i++) {
        stoa_repair_table *table = &repair->tables[repair->table_count++];
        table->id = state->tables[i].id;
        STOA_TRY(stoa_definition_parse(repair->place.context.pool, state->tables[i].definition,
                                       &table->definition, err));
    }
    return STOA_OK;
}

static stoa_status check_tables(const stoa_repair *repair, stoa_error *err) {
    const stoa_store_repair_options *options = repair->options;
    for (int64_t i = 0; options->tables != NULL && i < options->table_count; i++) {
        if (stoa_repair_find_table(repair, options->tables[i]) == NULL) {
            return stoa_fail(err, STOA_CONFLICT, "there is no state table %" PRId64 " any more",
                             options->tables[i]);
        }
    }
    return STOA_OK;
}

/* All but the files' content: what a writer may change meanwhile. */
static stoa_status look_around(stoa_repair *repair, stoa_error *err) {
    STOA_TRY(stoa_repair_find_manifest(repair, err));
    STOA_TRY(load_tables(repair, err));
    STOA_TRY(check_tables(repair, err));
    STOA_TRY(stoa_repair_open_files(repair, err));
    return stoa_repair_look_at_log(repair, err);
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* The first segment that is needed when none is. */
static stoa_status segment_behind(const stoa_repair *repair, uint64_t *out, stoa_error *err) {
    const stoa_manifest_place *place = &repair->place;
    stoa_buffer numbers;
    stoa_buffer_init(&numbers, place->context.pool);
    const stoa_status status = stoa_wal_list(&place->context, place->file_systems,
                                             place->directory, &numbers, err);
    *out = repair->contents.state.log_segment;
    if (status == STOA_OK && numbers.size > 0) {
        const uint64_t last = stoa_load_u64(numbers.data + numbers.size - sizeof last);
        *out = last >= *out ? last + 1 : *out;
    }
    stoa_buffer_release(&numbers);
    return status;
}

/* What the new manifest says: of the old one all that was not damaged, and what took its place. */
static stoa_status change_contents(stoa_repair *repair, stoa_error *err) {
    stoa_manifest_edit edit = {
        .removed = (const stoa_manifest_removal *)(const void *)repair->removed.data,
        .removed_count = (int64_t)(repair->removed.size / sizeof(stoa_manifest_removal)),
        .added = (const stoa_manifest_file *)(const void *)repair->added.data,
        .added_count = (int64_t)(repair->added.size / sizeof(stoa_manifest_file)),
        .next_file = repair->file_max + 1,
    };
    stoa_manifest_change change;
    if (repair->log_is_damaged) {
        edit.flushed_sequence = edit.last_sequence = repair->saved_sequence;
        STOA_TRY(segment_behind(repair, &edit.log_segment, err));
    }
    STOA_TRY(stoa_manifest_change_prepare(&change, &repair->contents, &edit, err));
    stoa_manifest_change_apply(&change, &repair->contents);
    return STOA_OK;
}

static stoa_status write_manifest(stoa_repair *repair, stoa_error *err) {
    const uint64_t number = repair->manifest_max + 1;
    stoa_manifest_writer writer;
    STOA_TRY(stoa_manifest_writer_create(&writer, &repair->place, number, &repair->contents.state,
                                         NULL, err));
    stoa_manifest_writer_close(&writer);
    return stoa_manifest_current_write(&repair->place, number, err);
}

/* The manifest comes last, and with it the directory is synced: it holds the names of all files by then. */
static stoa_status write_anew(stoa_repair *repair, stoa_error *err) {
    repair->is_writing = true;
    STOA_TRY(stoa_repair_keep_all(repair, err));
    STOA_TRY(stoa_repair_write_files(repair, err));
    STOA_TRY(stoa_repair_write_log(repair, err));
    STOA_TRY(change_contents(repair, err));
    STOA_TRY(write_manifest(repair, err));
    stoa_repair_remove_all(repair);
    return STOA_OK;
}

/* ---- The whole ------------------------------------------------------------------------------- */

static stoa_status check_there(const stoa_repair *repair, stoa_error *err) {
    bool is_there = false;
    STOA_TRY(stoa_vfs_exists(repair->place.file_systems, repair->place.directory,
                             &repair->place.context, &is_there, err));
    return is_there ? STOA_OK : stoa_fail(err, STOA_NOT_FOUND, "there are no state tables");
}

static void init(stoa_repair *repair, const stoa_store_repair_options *options) {
    stoa_pool *pool = options->context.pool;
    *repair = (stoa_repair){
        .options = options,
        .place = {options->context, options->file_systems, options->directory},
    };
    stoa_manifest_contents_init(&repair->contents, pool);
    stoa_arena_init(&repair->arena, pool);
    stoa_buffer_init(&repair->removed, pool);
    stoa_buffer_init(&repair->added, pool);
    stoa_buffer_init(&repair->segments, pool);
    stoa_buffer_init(&repair->scratch, pool);
    stoa_error_clear(&repair->gap);
}

static void release(stoa_repair *repair) {
    stoa_repair_close_files(repair);
    for (int32_t i = 0; i < repair->table_count; i++) {
        stoa_memtable_close(repair->tables[i].memtable);
        stoa_definition_release(repair->tables[i].definition);
    }
    stoa_buffer_release(&repair->removed);
    stoa_buffer_release(&repair->added);
    stoa_buffer_release(&repair->segments);
    stoa_buffer_release(&repair->scratch);
    stoa_manifest_contents_release(&repair->contents);
    stoa_arena_release(&repair->arena);
    stoa_file_close(repair->lock);
}

/* Damage is reported through an error, so there is always one. */
static stoa_status end(stoa_repair *repair, stoa_status status, const char *what,
                       stoa_state_repair_result *out, stoa_error *own, stoa_error *err) {
    *out = repair->result;
    if (status != STOA_OK) {
        stoa_wrap(own, "%s the state tables in %s", what, repair->options->directory);
        if (err != NULL) {
            *err = *own;
        }
    }
    release(repair);
    return status;
}

static stoa_status run(stoa_repair *repair, stoa_error *err) {
    STOA_TRY(check_there(repair, err));
    STOA_TRY(stoa_manifest_lock(&repair->place, &repair->lock, err));
    STOA_TRY(look_around(repair, err));
    STOA_TRY(stoa_repair_verify_files(repair, err));
    return repair->result.damage_count == 0 || repair->options->dry_run ? STOA_OK
                                                                        : write_anew(repair, err);
}

stoa_status stoa_store_repair(const stoa_store_repair_options *options,
                              stoa_state_repair_result *out, stoa_error *err) {
    stoa_error own = STOA_ERROR_NONE;
    stoa_repair repair;
    init(&repair, options);
    return end(&repair, run(&repair, &own), "repairing", out, &own, err);
}

/* A writer may replace what is being looked at: then it is there the next time. */
stoa_status stoa_store_examine(const stoa_store_repair_options *options,
                               stoa_state_repair_result *out, stoa_error *err) {
    stoa_error own = STOA_ERROR_NONE;
    stoa_repair repair;
    stoa_status status = STOA_OK;
    for (int i = 1; i <= EXAMINE_TRIES; i++) {
        init(&repair, options);
        repair.is_trying = i < EXAMINE_TRIES;
        status = check_there(&repair, &own);
        if (status == STOA_OK) {
            status = look_around(&repair, &own);
        }
        if (!repair.is_trying || (status == STOA_OK && repair.result.damage_count == 0)) {
            break;
        }
        release(&repair);
        stoa_error_clear(&own);
        (void)nanosleep(&try_wait, NULL);
    }
    repair.is_trying = false;
    if (status == STOA_OK) {
        status = stoa_repair_verify_files(&repair, &own);
    }
    return end(&repair, status, "verifying", out, &own, err);
}
