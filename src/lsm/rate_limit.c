/* The token bucket counts bytes from its beginning: `taken` by those who write, and `granted` by the
 * clock, which runs at most a bucket ahead. A place in the line is what was taken before, and its turn
 * comes when as much has been granted; so a new rate holds for all who wait already. */
#include "lsm/rate_limit.h"

#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "mem/pool.h"

enum { SECOND_NS = 1000000000, BUCKETS_A_SECOND = 10, SLICE_NS = 1000000 };

struct stoa_rate_limiter {
    pthread_mutex_t lock; /* guards all below */
    stoa_pool *pool;
    uint64_t rate; /* bytes a second; 0: no limit */
    uint64_t taken;
    uint64_t granted;
    uint64_t part; /* of the next byte that is granted, in bytes * SECOND_NS */
    int64_t granted_at_ns;
};

/* Under the lock. What comes in while nobody takes is lost once the bucket is full. */
static void grant(stoa_rate_limiter *limiter) {
    const int64_t now = stoa_clock_monotonic_ns();
    const uint64_t most = limiter->taken + limiter->rate / BUCKETS_A_SECOND;
    const unsigned __int128 came_in = (unsigned __int128)limiter->rate *
                                          (uint64_t)(now - limiter->granted_at_ns) +
                                      limiter->part;
    limiter->granted_at_ns = now;
    if (limiter->rate == 0 || limiter->granted >= most ||
        came_in / SECOND_NS >= most - limiter->granted) {
        limiter->granted = most;
        limiter->part = 0;
        return;
    }
    limiter->granted += (uint64_t)(came_in / SECOND_NS);
    limiter->part = (uint64_t)(came_in % SECOND_NS);
}

stoa_status stoa_rate_limiter_create(stoa_pool *pool, uint64_t bytes_per_second,
                                     stoa_rate_limiter **out, stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof **out, &memory, err));
    stoa_rate_limiter *limiter = memory;
    limiter->pool = pool;
    limiter->rate = bytes_per_second;
    limiter->granted_at_ns = stoa_clock_monotonic_ns();
    if (pthread_mutex_init(&limiter->lock, NULL) != 0) {
        stoa_pool_free(pool, memory, sizeof *limiter);
        return stoa_fail(err, STOA_NO_MEMORY, "no mutex for a rate limiter");
    }
    *out = limiter;
    return STOA_OK;
}

void stoa_rate_limiter_close(stoa_rate_limiter *limiter) {
    if (limiter != NULL) {
        pthread_mutex_destroy(&limiter->lock);
        stoa_pool_free(limiter->pool, limiter, sizeof *limiter);
    }
}

void stoa_rate_limiter_set(stoa_rate_limiter *limiter, uint64_t bytes_per_second) {
    pthread_mutex_lock(&limiter->lock);
    grant(limiter);
    limiter->rate = bytes_per_second;
    pthread_mutex_unlock(&limiter->lock);
}

uint64_t stoa_rate_limiter_take(stoa_rate_limiter *limiter, uint64_t bytes) {
    pthread_mutex_lock(&limiter->lock);
    grant(limiter);
    const uint64_t place = limiter->taken;
    limiter->taken += bytes;
    pthread_mutex_unlock(&limiter->lock);
    return place;
}

/* Under the lock. */
static int64_t left_ns(stoa_rate_limiter *limiter, uint64_t place) {
    grant(limiter);
    if (limiter->granted >= place) {
        return 0;
    }
    /* So there is a rate. */
    const unsigned __int128 left = (unsigned __int128)(place - limiter->granted) * SECOND_NS /
                                       limiter->rate +
                                   1;
    return left > INT64_MAX ? INT64_MAX : (int64_t)left;
}

int64_t stoa_rate_limiter_left_ns(stoa_rate_limiter *limiter, uint64_t place) {
    pthread_mutex_lock(&limiter->lock);
    const int64_t left = left_ns(limiter, place);
    pthread_mutex_unlock(&limiter->lock);
    return left;
}

int64_t stoa_rate_limiter_debt_ns(stoa_rate_limiter *limiter) {
    if (limiter == NULL) {
        return 0;
    }
    pthread_mutex_lock(&limiter->lock);
    const int64_t left = left_ns(limiter, limiter->taken);
    pthread_mutex_unlock(&limiter->lock);
    return left;
}

stoa_status stoa_rate_limiter_wait(stoa_rate_limiter *limiter, uint64_t bytes,
                                   const stoa_cancel *cancel, int64_t *out_waited_ns,
                                   stoa_error *err) {
    if (limiter == NULL) {
        return STOA_OK;
    }
    const int64_t begin = stoa_clock_monotonic_ns();
    const uint64_t place = stoa_rate_limiter_take(limiter, bytes);
    stoa_status status = STOA_OK;
    for (int64_t left;
         status == STOA_OK && (left = stoa_rate_limiter_left_ns(limiter, place)) > 0;) {
        /* A token cannot wake anybody, nor can a new rate: both are looked at every slice. */
        const struct timespec slice = {.tv_nsec = left < SLICE_NS ? left : SLICE_NS};
        (void)nanosleep(&slice, NULL);
        status = stoa_cancel_check(cancel, err);
    }
    *out_waited_ns += stoa_clock_monotonic_ns() - begin;
    return status;
}
