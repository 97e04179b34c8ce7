/* Appending to the log, and its life. Bytes: docs/formats/wal.md.
 *
 * A record is stored where it will lie, in a mapped segment: no call is made for it. What makes it whole
 * is the first 8 bytes of its head, stored last. Before that the 8 bytes behind it are cleared, so that what
 * follows the last whole record is always zero and never what an earlier use of the file has left. So a
 * process may be killed at any instruction, and the log ends behind a record.
 *
 * One appends at a time, under a lock of the caller's. It meets `segments_lock` only when a segment is
 * full; the disk only when none is ready by then. */
#include "lsm/wal.h"

#include "base/clock.h"
#include "lsm/wal_internal.h"

enum {
    SEGMENT_BYTES_DEFAULT = 32 << 20,
    SEGMENT_BYTES_FIRST = 1 << 20, /* of a new log; each that follows is twice as large */
    SEGMENT_BYTES_MIN = 4096,
    SEGMENT_UNIT = 4096,
    SYNCS_FREE = 16, /* of a segment, before they count */
    BOOT_BYTES = 64
};

/* ---- Segments -------------------------------------------------------------------------------- */

static uint64_t round_up(uint64_t bytes) {
    return (bytes + SEGMENT_UNIT - 1) / SEGMENT_UNIT * SEGMENT_UNIT;
}

/* How large the next segment is to be; with the lock held. */
static uint64_t next_bytes(const stoa_wal *log) {
    uint64_t bytes = log->current == NULL ? SEGMENT_BYTES_FIRST : 2 * log->current->bytes;
    if (log->spare_count > 0) {
        bytes = log->segment_bytes;
    }
    return bytes < log->segment_bytes ? bytes : log->segment_bytes;
}

void stoa_wal_plan_prepare(stoa_wal *log) {
    const stoa_wal_segment *current = log->current;
    uint64_t offset = UINT64_MAX;
    if (current != NULL && log->ready == NULL && !log->is_preparing) {
        offset = current->bytes / 2;
    }
    if (current != NULL && current->touched < current->bytes) {
        const uint64_t half = STOA_WAL_TOUCHED_BYTES / 2;
        const uint64_t due = current->touched > half ? current->touched - half : 0;
        offset = due < offset ? due : offset;
    }
    atomic_store_explicit(&log->prepare_at,
                          offset == UINT64_MAX ? UINT64_MAX
                                               : stoa_wal_pack(current->number, offset),
                          memory_order_relaxed);
}

/* Whether the part of a segment before `offset` was synced more often than it has large pages: then a sync
 * writes more than was stored, mostly. */
static bool is_synced_often(const stoa_wal *log, const stoa_wal_segment *segment, uint64_t offset) {
    const uint64_t syncs = atomic_load_explicit(&log->syncs, memory_order_relaxed);
    return syncs - segment->syncs_before > SYNCS_FREE + offset / STOA_WAL_LARGE_PAGE;
}

/* As the last segment was used, so will the next one be; with the lock held. */
static bool wants_large_pages(const stoa_wal *log) {
    const stoa_wal_position end = stoa_wal_end(log);
    return log->current == NULL ||
           !is_synced_often(log, log->current,
                            end.segment == log->current->number ? end.offset : 0);
}

/* One that lends itself to what is wanted; NULL: none. With the lock held. */
static stoa_wal_segment *take_spare(stoa_wal *log, uint64_t bytes, bool large_pages) {
    for (int32_t i = log->spare_count; i-- > 0 && bytes <= log->segment_bytes;) {
        stoa_wal_segment *spare = log->spares[i];
        if (large_pages || !spare->has_large_pages) {
            log->spares[i] = log->spares[--log->spare_count];
            return spare;
        }
    }
    return NULL;
}

/* With the lock held: whether the segment was kept for later. */
static bool keep_spare(stoa_wal *log, stoa_wal_segment *segment) {
    if (segment->bytes != log->segment_bytes || log->spare_count == STOA_WAL_SPARES) {
        return false;
    }
    segment->references = 1;
    segment->next = NULL;
    log->spares[log->spare_count++] = segment;
    return true;
}

/* Makes the next segment, of at least `bytes` where that is not 0; with the lock held, which is given up
 * meanwhile. On error all is as it was. */
static stoa_status make_ready(stoa_wal *log, uint64_t bytes, bool prefault, stoa_error *err) {
    const uint64_t number = log->next_number;
    const uint64_t wanted = next_bytes(log);
    const bool large_pages = wants_large_pages(log);
    stoa_wal_segment *spare = take_spare(log, bytes, large_pages), *made = NULL;
    log->is_preparing = true;
    stoa_wal_plan_prepare(log);
    (void)pthread_mutex_unlock(&log->segments_lock);
    stoa_status status = stoa_wal_segment_make(log, number,
                                               bytes > wanted ? round_up(bytes) : wanted, spare,
                                               large_pages, &made, err);
    if (status == STOA_OK && prefault) {
        stoa_wal_segment_touch(made, 0, STOA_WAL_TOUCHED_BYTES);
        made->touched = STOA_WAL_TOUCHED_BYTES;
    }
    if (status != STOA_OK && spare != NULL && spare->number == number) {
        /* It has the name that will be asked for again. */
        STOA_IGNORE(stoa_wal_remove(log, number, NULL));
        stoa_wal_segment_close(log, spare);
        spare = NULL;
    }
    (void)pthread_mutex_lock(&log->segments_lock);
    log->is_preparing = false;
    if (status == STOA_OK) {
        log->ready = made;
    } else if (spare != NULL && !keep_spare(log, spare)) {
        stoa_wal_segment_close(log, spare); /* others came; whoever opens the log next has the file */
    }
    stoa_wal_plan_prepare(log);
    (void)pthread_cond_broadcast(&log->prepared);
    return status;
}

/* A ready segment has become too small for the record that is to come. */
static stoa_status drop_ready(stoa_wal *log, stoa_error *err) {
    stoa_wal_segment *small = log->ready;
    log->ready = NULL;
    log->is_preparing = true;
    (void)pthread_mutex_unlock(&log->segments_lock);
    const stoa_status status = stoa_wal_remove(log, small->number, err);
    stoa_wal_segment_close(log, small);
    (void)pthread_mutex_lock(&log->segments_lock);
    log->is_preparing = false;
    (void)pthread_cond_broadcast(&log->prepared);
    return status;
}

/* With the lock held. */
static stoa_status wait_ready(stoa_wal *log, uint64_t bytes, stoa_error *err) {
    while (log->is_preparing) {
        (void)pthread_cond_wait(&log->prepared, &log->segments_lock);
    }
    if (log->ready != NULL && log->ready->bytes < bytes) {
        STOA_TRY(drop_ready(log, err));
    }
    return log->ready != NULL ? STOA_OK : make_ready(log, bytes, false, err);
}

/* Takes the references that nobody needs out of the list; with the lock held. What takes records stays. */
static stoa_wal_segment *detach_released(stoa_wal *log) {
    stoa_wal_segment *first = log->segments, **link = &log->segments;
    while (*link != NULL && *link != log->current && (*link)->number < log->released) {
        link = &(*link)->next;
    }
    stoa_wal_segment *rest = *link;
    *link = NULL;
    log->segments = rest;
    if (rest == NULL) {
        log->segments_tail = &log->segments;
    }
    return first == rest ? NULL : first;
}

stoa_status stoa_wal_unreference(stoa_wal *log, stoa_wal_segment *segment, stoa_error *err) {
    (void)pthread_mutex_lock(&log->segments_lock);
    const bool is_last = --segment->references == 0;
    const bool is_kept = is_last && keep_spare(log, segment);
    (void)pthread_mutex_unlock(&log->segments_lock);
    if (!is_last || is_kept) {
        return STOA_OK;
    }
    const stoa_status status = stoa_wal_remove(log, segment->number, err);
    stoa_wal_segment_close(log, segment);
    return status;
}

static stoa_status unreference_all(stoa_wal *log, stoa_wal_segment *segment, stoa_error *err) {
    stoa_status status = STOA_OK;
    while (segment != NULL) {
        stoa_wal_segment *next = segment->next;
        const stoa_status one = stoa_wal_unreference(log, segment, status == STOA_OK ? err : NULL);
        status = status == STOA_OK ? one : status;
        segment = next;
    }
    return status;
}

stoa_status stoa_wal_release(stoa_wal *log, uint64_t segment, stoa_error *err) {
    (void)pthread_mutex_lock(&log->segments_lock);
    log->released = segment > log->released ? segment : log->released;
    stoa_wal_segment *released = detach_released(log);
    (void)pthread_mutex_unlock(&log->segments_lock);
    return unreference_all(log, released, err);
}

bool stoa_wal_wants_prepare(const stoa_wal *log) {
    return atomic_load_explicit(&log->end, memory_order_relaxed) >=
           atomic_load_explicit(&log->prepare_at, memory_order_relaxed);
}

/* With the lock held, which is given up meanwhile. */
static void touch_ahead(stoa_wal *log) {
    stoa_wal_segment *segment = log->current;
    const stoa_wal_position end = stoa_wal_end(log);
    const uint64_t at = end.segment == segment->number ? end.offset : 0;
    const uint64_t from = at > segment->touched ? at : segment->touched;
    if (segment->touched >= segment->bytes || at + STOA_WAL_TOUCHED_BYTES / 2 < segment->touched) {
        return;
    }
    segment->touched = from + STOA_WAL_TOUCHED_BYTES;
    segment->references++;
    (void)pthread_mutex_unlock(&log->segments_lock);
    stoa_wal_segment_touch(segment, from, from + STOA_WAL_TOUCHED_BYTES);
    STOA_IGNORE(stoa_wal_unreference(log, segment, NULL));
    (void)pthread_mutex_lock(&log->segments_lock);
}

stoa_status stoa_wal_prepare(stoa_wal *log, stoa_error *err) {
    STOA_TRY(stoa_wal_check_failure(log, err));
    (void)pthread_mutex_lock(&log->segments_lock);
    stoa_status status = STOA_OK;
    if (log->current != NULL) {
        touch_ahead(log);
    }
    if (log->ready == NULL && !log->is_preparing) {
        status = make_ready(log, 0, true, err);
    } else {
        stoa_wal_plan_prepare(log);
    }
    (void)pthread_mutex_unlock(&log->segments_lock);
    return status;
}

/* Before anything says that the segment is not needed any more, and before the next one has a record. */
static void end_segment(stoa_wal *log) {
    if (log->current != NULL && !log->is_ended) {
        stoa_wal_segment_end(log, log->current, log->offset);
        log->is_ended = true;
    }
}

/* The next record goes into another segment, which has room for `bytes`. Everything that fails comes
 * first. */
static stoa_status begin_segment(stoa_wal *log, uint64_t bytes, stoa_error *err) {
    (void)pthread_mutex_lock(&log->segments_lock);
    if (log->ready == NULL) {
        stoa_wal_count(&log->waits, 1);
    }
    const stoa_status status = wait_ready(log, bytes, err);
    if (status != STOA_OK) {
        (void)pthread_mutex_unlock(&log->segments_lock);
        return status;
    }
    end_segment(log);
    log->current = log->ready;
    log->current->syncs_before = atomic_load_explicit(&log->syncs, memory_order_relaxed);
    log->ready = NULL;
    log->next_number = log->current->number + 1;
    *log->segments_tail = log->current;
    log->segments_tail = &log->current->next;
    stoa_wal_plan_prepare(log);
    stoa_wal_segment *released = detach_released(log);
    (void)pthread_mutex_unlock(&log->segments_lock);
    log->offset = sizeof(stoa_wal_header);
    log->is_full = false;
    log->is_ended = false;
    /* A file that cannot be removed is in nobody's way; the next one who opens the log tries again. */
    STOA_IGNORE(unreference_all(log, released, NULL));
    return STOA_OK;
}

/* ---- Appending ------------------------------------------------------------------------------- */

stoa_status stoa_wal_reserve(stoa_wal *log, size_t size, uint8_t **out, stoa_error *err) {
    STOA_ASSERT(size > 0 && !log->read_only);
    *out = NULL;
    if (size > STOA_WAL_PAYLOAD_MAX) {
        return stoa_fail(err, STOA_LIMIT,
                         "expected a record of at most %" PRIu32 " bytes but found %zu",
                         STOA_WAL_PAYLOAD_MAX, size);
    }
    if (atomic_load_explicit(&log->has_failed, memory_order_acquire)) {
        return stoa_wal_check_failure(log, err);
    }
    const uint64_t bytes = sizeof(stoa_wal_head) + stoa_wal_pad(size);
    /* There is always room for the head that ends the segment. */
    if (log->current == NULL || log->is_full ||
        (log->current->has_large_pages && is_synced_often(log, log->current, log->offset)) ||
        log->offset + bytes + sizeof(stoa_wal_head) > log->current->bytes) {
        STOA_TRY(begin_segment(log, sizeof(stoa_wal_header) + bytes + sizeof(stoa_wal_head), err));
    }
    uint8_t *at = log->current->map + log->offset;
    stoa_store_u64(at + bytes - sizeof(uint64_t), 0); /* behind the payload */
    log->reserved = bytes;
    log->size = (uint32_t)size;
    *out = at + sizeof(stoa_wal_head);
    return STOA_OK;
}

stoa_wal_position stoa_wal_commit(stoa_wal *log) {
    const stoa_wal_segment *segment = log->current;
    uint8_t *at = segment->map + log->offset;
    const uint64_t end = log->offset + log->reserved;
    stoa_wal_head head = {.size = log->size,
                          .place = log->offset ^ segment->salt,
                          .durable = atomic_load_explicit(&log->durable, memory_order_relaxed)};
    STOA_ASSERT(log->reserved > 0);
    head.crc = stoa_wal_crc(segment->seed, &head, at + sizeof head,
                            (size_t)log->reserved - sizeof head);
    memcpy(at + sizeof(uint64_t), &head.place, sizeof head - sizeof(uint64_t));
    stoa_store_u64(segment->map + end, 0);
    /* Now it is whole, for readers in other processes and for who comes after this one. */
    atomic_store_explicit((_Atomic uint64_t *)(void *)at, stoa_load_u64(&head),
                          memory_order_release);
    stoa_wal_count(&log->records, 1);
    stoa_wal_count(&log->bytes, log->reserved);
    log->offset = end;
    log->reserved = 0;
    atomic_store_explicit(&log->end, stoa_wal_pack(segment->number, end), memory_order_release);
    return (stoa_wal_position){segment->number, end};
}

stoa_status stoa_wal_rotate(stoa_wal *log, uint64_t *out_segment, stoa_error *err) {
    STOA_TRY(stoa_wal_check_failure(log, err));
    if (log->current != NULL && !log->is_full && log->offset == sizeof(stoa_wal_header)) {
        *out_segment = log->current->number;
        return STOA_OK;
    }
    end_segment(log);
    log->is_full = true;
    (void)pthread_mutex_lock(&log->segments_lock);
    *out_segment = log->next_number;
    (void)pthread_mutex_unlock(&log->segments_lock);
    return STOA_OK;
}

stoa_wal_position stoa_wal_end(const stoa_wal *log) {
    return stoa_wal_unpack(atomic_load_explicit(&log->end, memory_order_acquire));
}

void stoa_wal_figures_of(const stoa_wal *log, stoa_wal_figures *out) {
    *out = (stoa_wal_figures){
        .records = atomic_load_explicit(&log->records, memory_order_relaxed),
        .bytes = atomic_load_explicit(&log->bytes, memory_order_relaxed),
        .syncs = atomic_load_explicit(&log->syncs, memory_order_relaxed),
        .sync_ns = atomic_load_explicit(&log->sync_ns, memory_order_relaxed),
        .segments_made = atomic_load_explicit(&log->segments_made, memory_order_relaxed),
        .segments_reused = atomic_load_explicit(&log->segments_reused, memory_order_relaxed),
        .waits = atomic_load_explicit(&log->waits, memory_order_relaxed),
    };
}

/* ---- Life ------------------------------------------------------------------------------------ */

/* Where the system does not say in which run it is, none is the same as another. */
static uint64_t find_boot(stoa_wal *log, const char *boot) {
    char text[BOOT_BYTES];
    stoa_file *file = NULL;
    size_t size = 0;
    if (boot != NULL) {
        return stoa_hash64(boot, strlen(boot));
    }
    if (stoa_vfs_open(log->file_systems, "file:///proc/sys/kernel/random/boot_id", STOA_OPEN_READ,
                      &log->context, &file, NULL) == STOA_OK) {
        STOA_IGNORE(stoa_file_read_some(file, 0, text, sizeof text, &size, NULL));
    }
    stoa_file_close(file);
    return size == 0 ? 0 : stoa_hash64(text, size);
}

static stoa_status create_log(const stoa_wal_options *options, stoa_wal **out, stoa_error *err) {
    void *memory = NULL;
    stoa_pool *pool = options->context.pool;
    const uint64_t wanted = options->segment_bytes == 0 ? SEGMENT_BYTES_DEFAULT
                                                        : options->segment_bytes;
    const uint64_t most = STOA_WAL_SEGMENT_MAX / 2;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(stoa_wal), &memory, err));
    stoa_wal *log = memory;
    log->context = options->context;
    log->context.cancel = NULL; /* that of the open is not that of what comes later */
    log->file_systems = options->file_systems;
    log->segment_bytes = wanted > most                ? most
                         : wanted < SEGMENT_BYTES_MIN ? SEGMENT_BYTES_MIN
                                                      : round_up(wanted);
    log->read_only = options->read_only;
    log->segments_tail = &log->segments;
    const stoa_status status = stoa_pool_copy_string(pool, options->directory, &log->directory,
                                                     err);
    if (status != STOA_OK) {
        stoa_pool_free(pool, log, sizeof *log);
        return status;
    }
    (void)pthread_mutex_init(&log->segments_lock, NULL);
    (void)pthread_cond_init(&log->prepared, NULL);
    (void)pthread_mutex_init(&log->sync_lock, NULL);
    (void)pthread_cond_init(&log->synced, NULL);
    log->boot = find_boot(log, options->boot);
    *out = log;
    return STOA_OK;
}

stoa_status stoa_wal_open(const stoa_wal_options *options, uint64_t first_segment,
                          stoa_wal_replay replay, void *user, stoa_wal **out, stoa_error *err) {
    stoa_wal *log = NULL;
    *out = NULL;
    STOA_TRY(create_log(options, &log, err));
    const stoa_status status = stoa_wal_recover(log, first_segment, replay, user, err);
    if (status != STOA_OK) {
        stoa_wal_close(log);
        return status;
    }
    *out = log;
    return STOA_OK;
}

/* A segment that holds nothing is of use only while it is open. */
static void give_back(stoa_wal *log, stoa_wal_segment *segment) {
    if (segment != NULL) {
        STOA_IGNORE(stoa_wal_remove(log, segment->number, NULL));
        stoa_wal_segment_close(log, segment);
    }
}

void stoa_wal_close(stoa_wal *log) {
    if (log == NULL) {
        return;
    }
    while (log->segments != NULL) {
        stoa_wal_segment *next = log->segments->next;
        stoa_wal_segment_close(log, log->segments);
        log->segments = next;
    }
    give_back(log, log->ready);
    for (int32_t i = 0; i < log->spare_count; i++) {
        give_back(log, log->spares[i]);
    }
    stoa_wal_reader_close(&log->reader);
    (void)pthread_mutex_destroy(&log->segments_lock);
    (void)pthread_cond_destroy(&log->prepared);
    (void)pthread_mutex_destroy(&log->sync_lock);
    (void)pthread_cond_destroy(&log->synced);
    stoa_pool_free_string(log->context.pool, log->directory);
    stoa_pool_free(log->context.pool, log, sizeof *log);
}
