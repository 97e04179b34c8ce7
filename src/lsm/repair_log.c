/* The log in a repair. Where it cannot be opened, every commit that is whole is taken out of it, those behind
 * damage too, and becomes files of level 0: their rows are newer than all that files have. The new manifest
 * needs no log then. */
#include <inttypes.h>
#include <stdio.h>

#include "lsm/flush.h"
#include "lsm/repair_internal.h"
#include "lsm/rows_codec.h"
#include "lsm/store_internal.h"
#include "lsm/wal_format.h"
#include "lsm/wal_salvage.h"

enum { MEMTABLE_BYTES = 64 << 20 };

static stoa_wal_options log_options(const stoa_repair *repair) {
    return (stoa_wal_options){.context = repair->place.context,
                              .file_systems = repair->place.file_systems,
                              .directory = repair->place.directory,
                              .boot = repair->options->boot,
                              .read_only = true};
}

/* ---- Commits --------------------------------------------------------------------------------- */

static uint64_t last_of(const stoa_commit_part *part) {
    return part->first_sequence + part->count - 1;
}

/* The rows are read as they would be when the store is opened. */
static stoa_status check_part(void *user, const stoa_commit_part *part, stoa_error *err) {
    const stoa_repair *repair = user;
    const stoa_repair_table *table = stoa_repair_find_table(repair, part->table_id);
    stoa_key_range range;
    struct ArrowArray batch = {.release = NULL};
    if (table == NULL || last_of(part) <= repair->contents.state.flushed_sequence) {
        return STOA_OK;
    }
    if (part->schema_id != stoa_store_schema_id(table->definition)) {
        return stoa_fail(err, STOA_CORRUPT, "table %" PRId64 ": rows of another schema",
                         part->table_id);
    }
    if (part->kind == STOA_COMMIT_RANGE) {
        return stoa_commit_range_read(part, &range, err);
    }
    STOA_TRY(stoa_rows_read(&table->definition->layout, repair->place.context.pool,
                            part->kind == STOA_OPERATION_DELETE, part->count, part->bytes,
                            part->size, &batch, err));
    stoa_arrow_array_release(&batch);
    return STOA_OK;
}

/* The numbers of a commit's rows. */
struct extent {
    uint64_t first;
    uint64_t last;
};

static stoa_status widen(void *user, const stoa_commit_part *part, stoa_error *err) {
    struct extent *extent = user;
    (void)err;
    extent->first = extent->first == 0 ? part->first_sequence : extent->first;
    extent->last = last_of(part);
    return STOA_OK;
}

static stoa_status check_commit(stoa_repair *repair, const uint8_t *payload, size_t size,
                                struct extent *extent, stoa_error *err) {
    *extent = (struct extent){0};
    STOA_TRY(stoa_commit_read(payload, size, widen, extent, err));
    return stoa_commit_read(payload, size, check_part, repair, err);
}

/* ---- Looking --------------------------------------------------------------------------------- */

static stoa_status look_at_commit(void *user, stoa_wal_position end, const uint8_t *payload,
                                  size_t size, stoa_error *err) {
    struct extent extent;
    (void)end;
    return check_commit(user, payload, size, &extent, err);
}

/* Tells of the damage before a commit whose rows have these numbers (0: nothing comes). */
static void tell_gap(stoa_repair *repair, uint64_t next) {
    const uint64_t before = repair->saved_sequence;
    if (repair->gap.status == STOA_OK) {
        return;
    }
    if (next > before + 1) {
        stoa_wrap(&repair->gap, "changes %" PRIu64 " to %" PRIu64 " are lost", before + 1,
                  next - 1);
        repair->result.lost_change_count += (int64_t)(next - before - 1);
    } else if (next == 0) {
        stoa_wrap(&repair->gap, "changes after %" PRIu64 " are lost", before);
    }
    stoa_repair_report(repair, 0, &repair->gap);
}

static void keep_segment(stoa_repair *repair, uint64_t segment) {
    const uint64_t *segments = (const uint64_t *)(const void *)repair->segments.data;
    const size_t count = repair->segments.size / sizeof *segments;
    if (count == 0 || segments[count - 1] != segment) {
        /* Without memory for it the segment is used again by and by; the damage is told. */
        STOA_IGNORE(stoa_buffer_append(&repair->segments, &segment, sizeof segment, NULL));
    }
}

static void note_gap(void *user, const stoa_wal_gap *gap, stoa_error *damage) {
    stoa_repair *repair = user;
    if (repair->is_writing) {
        return;
    }
    if (repair->gap.status != STOA_OK) {
        stoa_repair_report(repair, 0, &repair->gap);
    }
    repair->gap = *damage;
    if (gap->to > 0) {
        keep_segment(repair, gap->segment);
    }
}

/* Commits come in the order of their numbers; one that does not, or that cannot be read, is damaged. */
static stoa_status settle_commit(stoa_repair *repair, stoa_wal_position end,
                                 const uint8_t *payload, size_t size, bool *out_whole,
                                 struct extent *extent, stoa_error *err) {
    stoa_error damage = STOA_ERROR_NONE;
    stoa_status status = check_commit(repair, payload, size, extent, &damage);
    if (status == STOA_OK && extent->last > repair->contents.state.flushed_sequence &&
        extent->first <= repair->saved_sequence) {
        status = stoa_fail(&damage, STOA_CORRUPT,
                           "expected changes above %" PRIu64 " but found %" PRIu64,
                           repair->saved_sequence, extent->first);
    }
    *out_whole = status == STOA_OK;
    if (status == STOA_CORRUPT) {
        const stoa_wal_gap gap = {end.segment, 0, end.offset};
        stoa_wrap(&damage, "log segment " STOA_WAL_NAME ", the record before byte %" PRIu64,
                  end.segment, end.offset);
        note_gap(repair, &gap, &damage);
        return STOA_OK;
    }
    if (status != STOA_OK && err != NULL) {
        *err = damage;
    }
    return status;
}

static stoa_status count_commit(void *user, stoa_wal_position end, const uint8_t *payload,
                                size_t size, stoa_error *err) {
    stoa_repair *repair = user;
    struct extent extent;
    bool is_whole;
    STOA_TRY(settle_commit(repair, end, payload, size, &is_whole, &extent, err));
    if (is_whole && extent.last > repair->saved_sequence) {
        tell_gap(repair, extent.first);
        repair->saved_sequence = extent.last;
    }
    return STOA_OK;
}

stoa_status stoa_repair_look_at_log(stoa_repair *repair, stoa_error *err) {
    const stoa_manifest_state *state = &repair->contents.state;
    const stoa_wal_options options = log_options(repair);
    const int64_t before = repair->result.damage_count;
    stoa_wal *log = NULL;
    stoa_status status = stoa_wal_open(&options, state->log_segment, look_at_commit, repair, &log,
                                       err);
    stoa_wal_close(log);
    if (status != STOA_CORRUPT && status != STOA_CONFLICT) {
        return status;
    }
    stoa_error first = *err;
    stoa_error_clear(err);
    repair->log_is_damaged = true;
    repair->saved_sequence = state->flushed_sequence;
    STOA_TRY(stoa_wal_salvage(&options, state->log_segment, count_commit, note_gap, repair, err));
    tell_gap(repair, 0);
    if (repair->result.damage_count == before) {
        stoa_repair_report(repair, 0, &first);
    }
    return STOA_OK;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static stoa_status flush_table(stoa_repair *repair, stoa_repair_table *table, stoa_error *err) {
    static const uint64_t newest = UINT64_MAX;
    const stoa_flush_options options = {.context = repair->place.context,
                                        .file_systems = repair->place.file_systems,
                                        .directory = repair->place.directory,
                                        .definition = table->definition,
                                        .snapshots = &newest,
                                        .snapshot_count = 1,
                                        .new_file = stoa_repair_new_file,
                                        .new_file_user = repair};
    stoa_table_file *file = NULL;
    if (table->memtable == NULL) {
        return STOA_OK;
    }
    stoa_status status = stoa_flush_run(&table->memtable, 1, &options, &file, err);
    if (status == STOA_OK && file != NULL) {
        status = stoa_repair_add_file(repair, table->id, &file->info, err);
    }
    stoa_table_file_release(file);
    stoa_memtable_close(table->memtable);
    table->memtable = NULL;
    return status;
}

static stoa_status flush_all(stoa_repair *repair, size_t least, stoa_error *err) {
    size_t bytes = 0;
    for (int32_t i = 0; i < repair->table_count; i++) {
        const stoa_memtable *memtable = repair->tables[i].memtable;
        bytes += memtable == NULL ? 0 : stoa_memtable_bytes(memtable);
    }
    for (int32_t i = 0; bytes >= least && i < repair->table_count; i++) {
        STOA_TRY(flush_table(repair, &repair->tables[i], err));
    }
    return STOA_OK;
}

static stoa_status save_part(void *user, const stoa_commit_part *part, stoa_error *err) {
    stoa_repair *repair = user;
    stoa_repair_table *table = stoa_repair_find_table(repair, part->table_id);
    if (table == NULL || last_of(part) <= repair->contents.state.flushed_sequence) {
        return STOA_OK;
    }
    if (table->memtable == NULL) {
        STOA_TRY(stoa_memtable_create(repair->place.context.pool, &table->definition->layout,
                                      &table->memtable, err));
    }
    return stoa_commit_part_apply(part, &table->definition->layout, repair->place.context.pool,
                                  table->memtable, &repair->scratch, err);
}

static stoa_status save_commit(void *user, stoa_wal_position end, const uint8_t *payload,
                               size_t size, stoa_error *err) {
    stoa_repair *repair = user;
    struct extent extent;
    bool is_whole;
    STOA_TRY(settle_commit(repair, end, payload, size, &is_whole, &extent, err));
    if (!is_whole || extent.last <= repair->saved_sequence) {
        return STOA_OK;
    }
    repair->saved_sequence = extent.last;
    STOA_TRY(stoa_commit_read(payload, size, save_part, repair, err));
    return flush_all(repair, MEMTABLE_BYTES, err);
}

stoa_status stoa_repair_write_log(stoa_repair *repair, stoa_error *err) {
    const stoa_wal_options options = log_options(repair);
    if (!repair->log_is_damaged) {
        return STOA_OK;
    }
    repair->saved_sequence = repair->contents.state.flushed_sequence;
    STOA_TRY(stoa_wal_salvage(&options, repair->contents.state.log_segment, save_commit, note_gap,
                              repair, err));
    return flush_all(repair, 0, err);
}
