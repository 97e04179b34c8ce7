/* What a log holds: its segments in order, each to its end, the last one to the first record that is not
 * whole. Whether that is where the log ended, or where it is damaged, is judged by what there is behind:
 *
 *   - a whole record there says that more than this was synced: damaged, for nothing undoes a sync;
 *   - the segment was written since the machine was started: nothing of it can have been lost, so there
 *     must be zeros, and no whole record behind them; else it is damaged;
 *   - otherwise the power was cut before all was on the disk: what is behind was never acknowledged as
 *     durable, and is dropped.
 *
 * Who appends clears the head behind each record before the record becomes whole; so in the same run of the
 * machine the end of the log is known for certain. */
#include <inttypes.h>
#include <stdio.h>

#include "lsm/wal_internal.h"

/* Where reading came to its end. */
struct place {
    uint64_t number;
    uint64_t boot;    /* of the segment, or of the one before when it has not begun; 0: not known */
    uint64_t durable; /* the highest position that a record read so far says is synced */
    uint64_t torn_bytes;  /* of a record that begins there and is not whole */
    bool has_stored_head; /* not zeros */
    bool is_missing;      /* there is no such file */
    bool is_followed_now; /* whole records behind were written in this run of the machine */
    stoa_wal_evidence evidence;
};

struct recovery {
    stoa_wal *log;
    stoa_wal_replay replay;
    void *user;
    stoa_buffer numbers; /* uint64_t, of the segments in the directory, growing */
    struct place end;
};

static size_t number_count(const struct recovery *recovery) {
    return recovery->numbers.size / sizeof(uint64_t);
}

static uint64_t number_at(const struct recovery *recovery, size_t index) {
    return stoa_load_u64(recovery->numbers.data + index * sizeof(uint64_t));
}

static stoa_status open_reader(stoa_wal *log, uint64_t number, stoa_wal_reader *reader,
                               stoa_error *err) {
    const stoa_status status = stoa_wal_reader_open(reader, &log->context, log->file_systems,
                                                    log->directory, number, err);
    /* Only who reads beside a writer meets files that are used again. */
    return status == STOA_CONFLICT && !log->read_only
               ? stoa_fail(err, STOA_CORRUPT,
                           "log segment " STOA_WAL_NAME " in '%s': the header is of another one",
                           number, log->directory)
               : status;
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Gives the records from the reader's place on. */
static stoa_status replay_segment(stoa_wal_reader *reader, stoa_wal_replay replay, void *user,
                                  uint64_t *durable, bool *out_ended, stoa_error *err) {
    *out_ended = false;
    while (true) {
        stoa_wal_record record;
        stoa_wal_found found;
        STOA_TRY(stoa_wal_reader_next(reader, &found, &record, err));
        if (found != STOA_WAL_FOUND_RECORD) {
            *out_ended = found == STOA_WAL_FOUND_END;
            return STOA_OK;
        }
        *durable = record.durable > *durable ? record.durable : *durable;
        const stoa_wal_position end = {reader->number, record.end};
        STOA_TRY(replay(user, end, record.payload, record.size, err));
    }
}

/* Whole records behind the end: in the segment that it lies in, and in all later ones. */
static stoa_status gather_evidence(struct recovery *recovery, stoa_wal_reader *reader,
                                   stoa_error *err) {
    struct place *end = &recovery->end;
    end->evidence = (stoa_wal_evidence){0};
    end->is_followed_now = false;
    if (reader->file != NULL && reader->has_begun) {
        STOA_TRY(stoa_wal_reader_look(reader, &end->has_stored_head, &end->torn_bytes, err));
        STOA_TRY(stoa_wal_reader_scan(reader, reader->offset, &end->evidence, err));
    }
    for (size_t i = 0; i < number_count(recovery); i++) {
        stoa_wal_reader later;
        if (number_at(recovery, i) <= end->number) {
            continue;
        }
        stoa_status status = open_reader(recovery->log, number_at(recovery, i), &later, err);
        if (status == STOA_OK && later.has_begun) {
            const uint64_t before = end->evidence.records;
            status = stoa_wal_reader_scan(&later, later.offset, &end->evidence, err);
            end->is_followed_now = end->is_followed_now ||
                                   (end->evidence.records > before &&
                                    later.header.boot == recovery->log->boot);
        }
        stoa_wal_reader_close(&later);
        STOA_TRY(status);
    }
    return STOA_OK;
}

static stoa_status fail_damaged(const struct recovery *recovery, const stoa_wal_reader *reader,
                                const char *why, stoa_error *err) {
    char name[STOA_ERROR_NAME_BYTES];
    (void)snprintf(name, sizeof name, "%s/" STOA_WAL_NAME, recovery->log->directory,
                   recovery->end.number);
    const stoa_wal_position next = stoa_wal_unpack(recovery->end.evidence.first);
    char next_text[96] = "";
    if (recovery->end.evidence.records > 0) {
        (void)snprintf(next_text, sizeof next_text,
                       "; the next whole one is at byte %" PRIu64 " of segment %016" PRIx64,
                       next.offset, next.segment);
    }
    const uint64_t offset = reader->file != NULL ? reader->offset : 0;
    const stoa_status status = stoa_fail(err, STOA_CORRUPT,
                                         "log segment '%s': byte %" PRIu64
                                         ": expected a whole record, since %s%s",
                                         name, offset, why, next_text);
    stoa_error_set_file(err, name, (int64_t)offset);
    return status;
}

/* NULL: the log ends there. */
static const char *why_damaged(const struct recovery *recovery, const stoa_wal_reader *reader) {
    const struct place *end = &recovery->end;
    const uint64_t boot = recovery->log->boot;
    const uint64_t at = stoa_wal_pack(end->number, reader->file != NULL && reader->has_begun
                                                       ? reader->offset
                                                       : 0);
    if (end->evidence.durable_max > at) {
        return "a later one says that it was synced";
    }
    if (end->is_missing && end->evidence.records > 0) {
        return "later segments have records";
    }
    if (boot != 0 && (end->boot == boot || end->is_followed_now) && end->evidence.records > 0) {
        return "later ones are whole and the machine has been running since";
    }
    return boot != 0 && end->boot == boot && end->has_stored_head
               ? "one was there and the machine has been running since"
               : NULL;
}

static void warn_torn(const struct recovery *recovery, const stoa_wal_reader *reader) {
    const struct place *end = &recovery->end;
    const uint64_t bytes = end->torn_bytes + end->evidence.bytes;
    if (bytes > 0) {
        stoa_log(recovery->log->context.logger, STOA_LOG_WARN, "lsm",
                 "log segment " STOA_WAL_NAME " is cut at byte %" PRIu64 ": %" PRIu64
                 " bytes behind it, %" PRIu64 " records of them whole, were not synced when the "
                 "machine went down",
                 end->number, reader->file != NULL ? reader->offset : 0, bytes,
                 end->evidence.records);
    }
}

static stoa_status fail_released(const stoa_wal *log, uint64_t number, stoa_error *err) {
    return stoa_fail(err, STOA_CONFLICT,
                     "log segment " STOA_WAL_NAME " in '%s' was released before it was read: open "
                     "the log again, from the first segment that is needed now",
                     number, log->directory);
}

/* Reads on from where reading stopped as long as there is more: a writer may be at work while we look, and
 * what is missing may have been released by it. The reader is left at the end of the log. */
static stoa_status settle_end(struct recovery *recovery, stoa_wal_reader *reader, bool *out_ended,
                              stoa_error *err) {
    while (true) {
        const uint64_t before = reader->offset, number = recovery->end.number;
        const bool end_is_unknown = recovery->end.is_missing && recovery->log->read_only;
        STOA_TRY(gather_evidence(recovery, reader, err));
        const char *why = why_damaged(recovery, reader);
        *out_ended = false;
        if (reader->file != NULL && reader->has_begun && recovery->log->read_only) {
            stoa_wal_reader_refresh(reader);
            STOA_TRY(replay_segment(reader, recovery->replay, recovery->user,
                                    &recovery->end.durable, out_ended, err));
        }
        if (*out_ended || (why == NULL && reader->offset == before)) {
            return STOA_OK;
        }
        if (reader->offset == before) {
            return end_is_unknown ? fail_released(recovery->log, number, err)
                                  : fail_damaged(recovery, reader, why, err);
        }
    }
}

/* A segment without a whole header in which nothing can have been synced: it has not begun. Nothing tears in
 * a run of the machine that goes on, and what a record says is synced had its header before. */
static bool is_torn(const struct recovery *recovery, const stoa_wal_reader *reader) {
    const stoa_wal *log = recovery->log;
    return reader->may_be_torn && log->boot != 0 && reader->header.boot != log->boot &&
           recovery->end.boot != log->boot &&
           recovery->end.durable <= stoa_wal_pack(reader->number, 0);
}

/* One segment; `*out_ended`: and the next one follows. */
static stoa_status read_segment(struct recovery *recovery, uint64_t number, bool is_there,
                                stoa_wal_reader *reader, bool *out_ended, stoa_error *err) {
    struct place *end = &recovery->end;
    end->number = number;
    end->has_stored_head = false;
    end->torn_bytes = 0;
    end->is_missing = !is_there;
    *out_ended = false;
    *reader = (stoa_wal_reader){.number = number};
    if (is_there) {
        const stoa_status status = open_reader(recovery->log, number, reader, err);
        if (status != STOA_OK && (status != STOA_CORRUPT || !is_torn(recovery, reader))) {
            return status;
        }
        stoa_error_clear(err);
    }
    if (is_there && reader->has_begun) {
        end->boot = reader->header.boot;
        STOA_TRY(replay_segment(reader, recovery->replay, recovery->user, &end->durable, out_ended,
                                err));
    }
    return *out_ended ? STOA_OK : settle_end(recovery, reader, out_ended, err);
}

/* ---- To go on writing ------------------------------------------------------------------------ */

static void add_segment(stoa_wal *log, stoa_wal_segment *segment) {
    *log->segments_tail = segment;
    log->segments_tail = &segment->next;
}

static stoa_status add_named(stoa_wal *log, const stoa_wal_reader *reader, stoa_error *err) {
    stoa_wal_segment *segment = NULL;
    STOA_TRY(stoa_wal_segment_name(log, reader->number, reader->header.bytes, &segment, err));
    add_segment(log, segment);
    return STOA_OK;
}

/* What follows the end is gone for good before anything says that the log goes on. */
static stoa_status remove_from(struct recovery *recovery, uint64_t number, stoa_error *err) {
    stoa_wal *log = recovery->log;
    bool has_removed = false;
    for (size_t i = number_count(recovery); i > 0 && number_at(recovery, i - 1) >= number; i--) {
        STOA_TRY(stoa_wal_remove(log, number_at(recovery, i - 1), err));
        has_removed = true;
    }
    return has_removed
               ? stoa_vfs_sync_directory(log->file_systems, log->directory, &log->context, err)
               : STOA_OK;
}

/* Segments that nobody needs any more are used again if they are of the full size. */
static stoa_status keep_spares(struct recovery *recovery, uint64_t first, stoa_error *err) {
    stoa_wal *log = recovery->log;
    for (size_t i = 0; i < number_count(recovery) && number_at(recovery, i) < first; i++) {
        const uint64_t number = number_at(recovery, i);
        stoa_file_info info;
        char *uri = NULL;
        STOA_TRY(stoa_wal_uri(log->context.pool, log->directory, number, &uri, err));
        stoa_status status = stoa_vfs_stat(log->file_systems, uri, &log->context, &info, err);
        stoa_pool_free_string(log->context.pool, uri);
        STOA_TRY(status);
        if (info.size == log->segment_bytes && log->spare_count < STOA_WAL_SPARES) {
            STOA_TRY(
                stoa_wal_segment_name(log, number, info.size, &log->spares[log->spare_count], err));
            log->spare_count++;
        } else {
            STOA_TRY(stoa_wal_remove(log, number, err));
        }
    }
    return STOA_OK;
}

/* A segment of this run of the machine is written on; one of an earlier run gets its end when the next
 * one begins. A name without a segment is given to another. */
static stoa_status resume(struct recovery *recovery, stoa_wal_reader *reader, stoa_error *err) {
    stoa_wal *log = recovery->log;
    const bool has_begun = reader->file != NULL && reader->has_begun;
    const bool is_ours = has_begun && log->boot != 0 && reader->header.boot == log->boot;
    STOA_TRY(remove_from(recovery, has_begun ? reader->number + 1 : reader->number, err));
    log->next_number = reader->number;
    if (has_begun) {
        STOA_TRY(stoa_wal_segment_resume(log, reader, &log->current, err));
        add_segment(log, log->current);
        log->next_number++;
        log->offset = reader->offset;
        log->is_full = !is_ours;
    }
    stoa_wal_plan_prepare(log);
    const uint64_t end = stoa_wal_pack(reader->number, has_begun ? reader->offset : 0);
    atomic_store_explicit(&log->end, end, memory_order_relaxed);
    /* What an earlier run left was read from the disk. */
    atomic_store_explicit(&log->durable, is_ours || !has_begun ? recovery->end.durable : end,
                          memory_order_relaxed);
    return STOA_OK;
}

static stoa_status finish(struct recovery *recovery, stoa_wal_reader *reader, uint64_t first,
                          stoa_error *err) {
    stoa_wal *log = recovery->log;
    if (log->read_only) {
        log->reader = *reader;
        *reader = (stoa_wal_reader){0};
        return STOA_OK;
    }
    warn_torn(recovery, reader);
    STOA_TRY(resume(recovery, reader, err));
    return keep_spares(recovery, first, err);
}

static stoa_status read_segments(struct recovery *recovery, uint64_t first, stoa_error *err) {
    stoa_wal_reader reader = {0};
    stoa_status status = STOA_OK;
    size_t index = 0;
    while (index < number_count(recovery) && number_at(recovery, index) < first) {
        index++;
    }
    for (uint64_t number = first;; number++) {
        bool has_ended = false;
        const bool is_there = index < number_count(recovery) &&
                              number_at(recovery, index) == number;
        STOA_CHECK(read_segment(recovery, number, is_there, &reader, &has_ended, err));
        if (!has_ended) {
            break;
        }
        if (!recovery->log->read_only) {
            STOA_CHECK(add_named(recovery->log, &reader, err));
        }
        stoa_wal_reader_close(&reader);
        index++;
    }
    status = finish(recovery, &reader, first, err);

done:
    stoa_wal_reader_close(&reader);
    return status;
}

stoa_status stoa_wal_recover(stoa_wal *log, uint64_t first_segment, stoa_wal_replay replay,
                             void *user, stoa_error *err) {
    struct recovery recovery = {.log = log, .replay = replay, .user = user};
    stoa_buffer_init(&recovery.numbers, log->context.pool);
    stoa_status status = stoa_wal_list(&log->context, log->file_systems, log->directory,
                                       &recovery.numbers, err);
    if (status == STOA_OK) {
        const uint64_t lowest = number_count(&recovery) > 0 ? number_at(&recovery, 0) : 1;
        const uint64_t first = first_segment > 0 ? first_segment : lowest > 0 ? lowest : 1;
        status = read_segments(&recovery, first, err);
    }
    stoa_buffer_release(&recovery.numbers);
    return status;
}

/* ---- Following ------------------------------------------------------------------------------- */

/* The segment that comes next, when it has begun. A missing one was released if there are later ones. */
static stoa_status follow_open(stoa_wal *log, stoa_error *err) {
    const uint64_t number = log->reader.number;
    stoa_buffer numbers;
    stoa_buffer_init(&numbers, log->context.pool);
    for (int attempt = 0; attempt < 2; attempt++) {
        stoa_status status = open_reader(log, number, &log->reader, err);
        if (status != STOA_NOT_FOUND) {
            stoa_buffer_release(&numbers);
            return status;
        }
        stoa_error_clear(err);
        stoa_buffer_clear(&numbers);
        status = stoa_wal_list(&log->context, log->file_systems, log->directory, &numbers, err);
        const bool is_passed = numbers.size > 0 && stoa_load_u64(numbers.data + numbers.size -
                                                                 sizeof(uint64_t)) > number;
        /* It may have come between the two looks: then it is there now. */
        if (status != STOA_OK || !is_passed) {
            stoa_buffer_release(&numbers);
            return status;
        }
    }
    stoa_buffer_release(&numbers);
    return fail_released(log, number, err);
}

/* Whether the name still means the file that is open: it does not once that was used again, removed, or
 * made anew before it had a record. */
static stoa_status look_again(stoa_wal *log, bool *out_gone, stoa_error *err) {
    stoa_wal_reader now;
    stoa_status status = open_reader(log, log->reader.number, &now, err);
    *out_gone = true;
    if (status == STOA_OK) {
        *out_gone = memcmp(&now.header, &log->reader.header, sizeof now.header) != 0;
        stoa_wal_reader_close(&now);
    } else if (status == STOA_NOT_FOUND || status == STOA_CONFLICT) {
        stoa_error_clear(err);
        status = STOA_OK;
    }
    return status;
}

/* A head that is stored was stored last, and a segment got its end before it was released: a look that
 * began after either was seen finds what there is. */
static stoa_status follow_segment(stoa_wal *log, stoa_wal_replay replay, void *user,
                                  bool *out_ended, bool *out_gone, stoa_error *err) {
    stoa_wal_reader *reader = &log->reader;
    uint64_t durable = 0, seen = 0, bytes;
    bool is_stored = false;
    *out_gone = false;
    while (true) {
        stoa_wal_reader_refresh(reader);
        STOA_TRY(replay_segment(reader, replay, user, &durable, out_ended, err));
        if (*out_ended || *out_gone) {
            return STOA_OK;
        }
        if (is_stored && seen == reader->offset) {
            break;
        }
        seen = reader->offset;
        STOA_TRY(stoa_wal_reader_look(reader, &is_stored, &bytes, err));
        STOA_TRY(look_again(log, out_gone, err));
        if (!*out_gone && !is_stored) {
            return STOA_OK;
        }
    }
    if (log->boot == 0 || reader->header.boot != log->boot) {
        return STOA_OK; /* torn by a power cut: whoever writes next will cut it */
    }
    const struct recovery recovery = {.log = log, .end = {.number = reader->number}};
    return fail_damaged(&recovery, reader, "one was there and the machine has been running since",
                        err);
}

stoa_status stoa_wal_follow(stoa_wal *log, stoa_wal_replay replay, void *user, stoa_error *err) {
    STOA_ASSERT(log->read_only);
    while (true) {
        bool has_ended = false, is_gone = false;
        if (!log->reader.has_begun) { /* it is looked for again */
            stoa_wal_reader_close(&log->reader);
            STOA_TRY(follow_open(log, err));
        }
        if (!log->reader.has_begun) {
            return STOA_OK;
        }
        STOA_TRY(follow_segment(log, replay, user, &has_ended, &is_gone, err));
        if (!has_ended && !is_gone) {
            return STOA_OK;
        }
        const bool is_unread = log->reader.offset == sizeof(stoa_wal_header);
        const uint64_t number = log->reader.number;
        if (!has_ended && !is_unread) {
            return fail_released(log, number, err);
        }
        stoa_wal_reader_close(&log->reader);
        log->reader = (stoa_wal_reader){.number = has_ended ? number + 1 : number};
    }
}
