/* Group commit. Who needs a sync that nobody is about to make makes it, for all that was committed by
 * then; the others wait for it.
 *
 * When a sync ends, its members come back with their next records within microseconds. If the first of
 * them began at once, half of the threads would always wait for the other half: so the one who begins
 * lets them run first, no longer than a quarter of what the last sync took. Up to two syncs are in
 * flight; the second only for a group as large as the first. Both cover all that is not known to be
 * durable, so either may end first. */
#include <sched.h>

#include "base/clock.h"
#include "lsm/wal_internal.h"

stoa_status stoa_wal_check_failure(stoa_wal *log, stoa_error *err) {
    if (!atomic_load_explicit(&log->has_failed, memory_order_acquire)) {
        return STOA_OK;
    }
    (void)pthread_mutex_lock(&log->sync_lock);
    const stoa_status status = stoa_fail(err, STOA_IO, "an earlier sync of the log failed: %s",
                                         log->failure.message);
    (void)pthread_mutex_unlock(&log->sync_lock);
    return status;
}

/* The first segment in use whose number is `number` or more, with a reference; NULL: none. */
static stoa_wal_segment *segment_from(stoa_wal *log, uint64_t number) {
    (void)pthread_mutex_lock(&log->segments_lock);
    stoa_wal_segment *segment = log->segments;
    while (segment != NULL && segment->number < number) {
        segment = segment->next;
    }
    if (segment != NULL) {
        segment->references++;
    }
    (void)pthread_mutex_unlock(&log->segments_lock);
    return segment;
}

/* `*out_known` is false when the disk was asked and what it has is not known. What is stored where the
 * file does not take it only the handle of the map knows. */
static stoa_status sync_segment(stoa_wal *log, stoa_wal_segment *segment, int32_t slot,
                                bool *out_known, stoa_error *err) {
    STOA_TRY(stoa_wal_segment_handle(log, segment, slot, err));
    *out_known = false;
    stoa_status status = stoa_file_sync(segment->files[slot], err);
    if (status == STOA_OK && segment->map != NULL) {
        status = stoa_file_map_check(segment->files[0], err);
    }
    if (status != STOA_OK) {
        stoa_wrap(err, "log segment %016" PRIx64, segment->number);
        return status;
    }
    *out_known = true;
    return STOA_OK;
}

/* In order: a record is never durable before those in earlier segments. Segments that were released
 * meanwhile need no sync. */
static stoa_status sync_range(stoa_wal *log, int32_t slot, uint64_t from, uint64_t target,
                              bool *out_known, stoa_error *err) {
    const uint64_t last = stoa_wal_unpack(target).segment;
    uint64_t number = stoa_wal_unpack(from).segment;
    stoa_status status = STOA_OK;
    *out_known = true;
    while (status == STOA_OK) {
        stoa_wal_segment *segment = segment_from(log, number);
        if (segment == NULL) {
            break;
        }
        number = segment->number + 1;
        const bool is_beyond = segment->number > last;
        if (!is_beyond) {
            status = sync_segment(log, segment, slot, out_known, err);
        }
        /* What becomes of a file that nobody needs any more is not this caller's concern. */
        STOA_IGNORE(stoa_wal_unreference(log, segment, NULL));
        if (is_beyond) {
            break;
        }
    }
    return status;
}

/* With the lock held, which is given up meanwhile. */
static void gather(stoa_wal *log) {
    enum { SHARE = 4, NS_MAX = 200000 };
    const int64_t most = log->last_ns / SHARE < NS_MAX ? log->last_ns / SHARE : NS_MAX;
    const int64_t end = stoa_clock_monotonic_ns() + most;
    log->is_gathering = true;
    while (log->uncovered < log->last_members && stoa_clock_monotonic_ns() < end) {
        (void)pthread_mutex_unlock(&log->sync_lock);
        (void)sched_yield();
        (void)pthread_mutex_lock(&log->sync_lock);
    }
    log->is_gathering = false;
}

/* With the lock held, which is given up meanwhile. */
static stoa_status lead(stoa_wal *log, stoa_wal_slot *slot, stoa_error *err) {
    stoa_error own = STOA_ERROR_NONE;
    bool is_known;
    slot->is_busy = true;
    slot->members = log->uncovered;
    slot->target = atomic_load_explicit(&log->end, memory_order_acquire);
    log->uncovered = 0;
    const uint64_t target = slot->target;
    const uint64_t from = atomic_load_explicit(&log->durable, memory_order_relaxed);
    (void)pthread_mutex_unlock(&log->sync_lock);

    const int64_t start = stoa_clock_monotonic_ns();
    const stoa_status status = sync_range(log, (int32_t)(slot - log->slots), from, target,
                                          &is_known, &own);
    const int64_t end = stoa_clock_monotonic_ns();

    (void)pthread_mutex_lock(&log->sync_lock);
    slot->is_busy = false;
    log->last_members = slot->members;
    log->last_ns = end - start;
    stoa_wal_count(&log->syncs, 1);
    stoa_wal_count(&log->sync_ns, (uint64_t)(end - start));
    if (status == STOA_OK) {
        if (target > atomic_load_explicit(&log->durable, memory_order_relaxed)) {
            atomic_store_explicit(&log->durable, target, memory_order_release);
        }
    } else if (!is_known && !atomic_load_explicit(&log->has_failed, memory_order_relaxed)) {
        log->failure = own;
        atomic_store_explicit(&log->has_failed, true, memory_order_release);
    }
    (void)pthread_cond_broadcast(&log->synced);
    if (status != STOA_OK && err != NULL) {
        *err = own;
    }
    return status;
}

static bool is_covered(const stoa_wal *log, uint64_t wanted) {
    for (int32_t i = 0; i < STOA_WAL_SYNCS; i++) {
        if (log->slots[i].is_busy && log->slots[i].target >= wanted) {
            return true;
        }
    }
    return false;
}

/* Where those who wait may begin a sync; NULL: not now. */
static stoa_wal_slot *find_slot(stoa_wal *log) {
    stoa_wal_slot *found = NULL;
    int32_t members = 0;
    for (int32_t i = 0; i < STOA_WAL_SYNCS; i++) {
        if (log->slots[i].is_busy) {
            members += log->slots[i].members;
        } else {
            found = &log->slots[i];
        }
    }
    return log->is_gathering || log->uncovered < members ? NULL : found;
}

/* With the lock held, which is given up meanwhile. */
static stoa_status wait_durable(stoa_wal *log, uint64_t wanted, stoa_error *err) {
    bool is_counted = false;
    while (!atomic_load_explicit(&log->has_failed, memory_order_relaxed) &&
           atomic_load_explicit(&log->durable, memory_order_relaxed) < wanted) {
        if (!is_covered(log, wanted)) {
            log->uncovered += is_counted ? 0 : 1;
            is_counted = true;
            stoa_wal_slot *slot = find_slot(log);
            if (slot != NULL) {
                gather(log);
                STOA_TRY(lead(log, slot, err));
                continue;
            }
        }
        (void)pthread_cond_wait(&log->synced, &log->sync_lock);
    }
    return STOA_OK;
}

stoa_status stoa_wal_sync(stoa_wal *log, stoa_wal_position position, stoa_error *err) {
    const uint64_t wanted = stoa_wal_pack(position.segment, position.offset);
    STOA_ASSERT(!log->read_only && wanted <= atomic_load_explicit(&log->end, memory_order_acquire));
    STOA_TRY(stoa_wal_check_failure(log, err));
    if (atomic_load_explicit(&log->durable, memory_order_acquire) >= wanted) {
        return STOA_OK;
    }
    (void)pthread_mutex_lock(&log->sync_lock);
    const stoa_status status = wait_durable(log, wanted, err);
    const bool is_durable = atomic_load_explicit(&log->durable, memory_order_relaxed) >= wanted;
    (void)pthread_mutex_unlock(&log->sync_lock);
    return status != STOA_OK || is_durable ? status : stoa_wal_check_failure(log, err);
}
