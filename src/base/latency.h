/* How long calls took, as counts in buckets: percentiles without keeping the values. */
#ifndef STOA_BASE_LATENCY_H
#define STOA_BASE_LATENCY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Four buckets for each power of two: a percentile is at most a quarter too high. */
enum { STOA_LATENCY_BUCKETS = 256 };

/// Counters that any thread adds to and nobody waits for; nothing is ordered by them. All-zero is empty.
typedef struct stoa_latency {
    atomic_uint_fast64_t ns_sum, ns_max;
    atomic_uint_fast64_t bucket[STOA_LATENCY_BUCKETS];
} stoa_latency;

/// What was counted; read while others add, the members may be a few calls apart.
typedef struct stoa_latency_figures {
    uint64_t count; /* sum of the buckets */
    uint64_t ns_sum;
    uint64_t ns_max;
    uint64_t bucket[STOA_LATENCY_BUCKETS];
} stoa_latency_figures;

/// Counts one call. Negative durations are 0.
void stoa_latency_add(stoa_latency *latency, int64_t ns);
void stoa_latency_get(const stoa_latency *latency, stoa_latency_figures *out);
/// Starts from nothing.
void stoa_latency_reset(stoa_latency *latency);

/// The latency that `share` (0 to 1) of the calls did not exceed; 0 when there were none.
uint64_t stoa_latency_percentile_ns(const stoa_latency_figures *figures, double share);

#endif
