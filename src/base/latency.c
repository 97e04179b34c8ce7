/* Counts of durations in buckets whose width grows with them: the exponent of the nanoseconds and the
 * two bits after the first one. */
#include "base/latency.h"

static size_t bucket_of(uint64_t ns) {
    if (ns < 4) {
        return (size_t)ns;
    }
    const unsigned exponent = 63u - (unsigned)__builtin_clzll(ns);
    return (exponent - 1) * 4 + (size_t)((ns >> (exponent - 2)) & 3);
}

/* The most that falls into a bucket. */
static uint64_t bucket_end(size_t bucket) {
    if (bucket < 4) {
        return bucket;
    }
    const unsigned exponent = (unsigned)(bucket / 4) + 1;
    const uint64_t width = UINT64_C(1) << (exponent - 2);
    return (UINT64_C(1) << exponent) + (bucket % 4) * width + (width - 1);
}

void stoa_latency_add(stoa_latency *latency, int64_t ns) {
    const uint64_t lasted = ns < 0 ? 0 : (uint64_t)ns;
    (void)atomic_fetch_add_explicit(&latency->ns_sum, lasted, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&latency->bucket[bucket_of(lasted)], 1, memory_order_relaxed);
    uint_fast64_t most = atomic_load_explicit(&latency->ns_max, memory_order_relaxed);
    while (lasted > most &&
           !atomic_compare_exchange_weak_explicit(&latency->ns_max, &most, lasted,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

void stoa_latency_get(const stoa_latency *latency, stoa_latency_figures *out) {
    out->count = 0;
    out->ns_sum = atomic_load_explicit(&latency->ns_sum, memory_order_relaxed);
    out->ns_max = atomic_load_explicit(&latency->ns_max, memory_order_relaxed);
    for (size_t i = 0; i < STOA_LATENCY_BUCKETS; i++) {
        out->bucket[i] = atomic_load_explicit(&latency->bucket[i], memory_order_relaxed);
        out->count += out->bucket[i];
    }
}

void stoa_latency_reset(stoa_latency *latency) {
    atomic_store_explicit(&latency->ns_sum, 0, memory_order_relaxed);
    atomic_store_explicit(&latency->ns_max, 0, memory_order_relaxed);
    for (size_t i = 0; i < STOA_LATENCY_BUCKETS; i++) {
        atomic_store_explicit(&latency->bucket[i], 0, memory_order_relaxed);
    }
}

uint64_t stoa_latency_percentile_ns(const stoa_latency_figures *figures, double share) {
    const double wanted = share * (double)figures->count;
    uint64_t seen = 0;
    for (size_t i = 0; i < STOA_LATENCY_BUCKETS; i++) {
        seen += figures->bucket[i];
        if (seen > 0 && (double)seen >= wanted) {
            const uint64_t end = bucket_end(i);
            return end < figures->ns_max ? end : figures->ns_max;
        }
    }
    return 0;
}
