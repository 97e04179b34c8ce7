/* Several lanes of running extremes break the chain of dependent comparisons and fill a vector; the
 * same loop is compiled for the widest vectors too, and chosen where the processor has them. */
#include "parquet/statistics_kernel.h"

#include <math.h>

#include "base/cpu.h"
#include "base/error.h"

enum { LANES = 16 };

#if defined(__x86_64__) && defined(__clang__)
#define WIDE __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#elif defined(__x86_64__)
#define WIDE __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")))
#else
#define WIDE
#endif
#define INLINE __attribute__((always_inline)) static inline

#define DEFINE_INTEGERS(NAME, TYPE)                                                                \
    INLINE void extremes_##NAME(const TYPE *values, int64_t count, TYPE *min, TYPE *max) {         \
        TYPE low[LANES], high[LANES];                                                              \
        for (int lane = 0; lane < LANES; lane++) {                                                 \
            low[lane] = high[lane] = values[0];                                                    \
        }                                                                                          \
        int64_t i = 0;                                                                             \
        for (; i + LANES <= count; i += LANES) {                                                   \
            for (int lane = 0; lane < LANES; lane++) {                                             \
                const TYPE value = values[i + lane];                                               \
                low[lane] = value < low[lane] ? value : low[lane];                                 \
                high[lane] = value > high[lane] ? value : high[lane];                              \
            }                                                                                      \
        }                                                                                          \
        for (; i < count; i++) {                                                                   \
            low[0] = values[i] < low[0] ? values[i] : low[0];                                      \
            high[0] = values[i] > high[0] ? values[i] : high[0];                                   \
        }                                                                                          \
        for (int lane = 1; lane < LANES; lane++) {                                                 \
            low[0] = low[lane] < low[0] ? low[lane] : low[0];                                      \
            high[0] = high[lane] > high[0] ? high[lane] : high[0];                                 \
        }                                                                                          \
        *min = low[0];                                                                             \
        *max = high[0];                                                                            \
    }                                                                                              \
    WIDE static void wide_##NAME(const TYPE *values, int64_t count, TYPE *min, TYPE *max) {        \
        extremes_##NAME(values, count, min, max);                                                  \
    }                                                                                              \
    void stoa_min_max_##NAME(const TYPE *values, int64_t count, TYPE *min, TYPE *max) {            \
        STOA_ASSERT(count > 0);                                                                    \
        if (stoa_cpu_level() == STOA_CPU_AVX512) {                                                 \
            wide_##NAME(values, count, min, max);                                                  \
        } else {                                                                                   \
            extremes_##NAME(values, count, min, max);                                              \
        }                                                                                          \
    }

DEFINE_INTEGERS(i8, int8_t)
DEFINE_INTEGERS(u8, uint8_t)
DEFINE_INTEGERS(i16, int16_t)
DEFINE_INTEGERS(u16, uint16_t)
DEFINE_INTEGERS(i32, int32_t)
DEFINE_INTEGERS(u32, uint32_t)
DEFINE_INTEGERS(i64, int64_t)
DEFINE_INTEGERS(u64, uint64_t)

/* A comparison with NaN is false, so NaN never replaces an extreme; each lane counts the values that
 * equal themselves to find the others. */
#define DEFINE_FLOATS(NAME, TYPE)                                                                  \
    INLINE bool extremes_##NAME(const TYPE *values, int64_t count, TYPE *min, TYPE *max,           \
                                bool *has_nan) {                                                   \
        TYPE low[LANES], high[LANES];                                                              \
        int64_t numbers[LANES] = {0};                                                              \
        for (int lane = 0; lane < LANES; lane++) {                                                 \
            low[lane] = (TYPE)INFINITY;                                                            \
            high[lane] = (TYPE)-INFINITY;                                                          \
        }                                                                                          \
        int64_t i = 0;                                                                             \
        for (; i + LANES <= count; i += LANES) {                                                   \
            for (int lane = 0; lane < LANES; lane++) {                                             \
                const TYPE value = values[i + lane];                                               \
                low[lane] = value < low[lane] ? value : low[lane];                                 \
                high[lane] = value > high[lane] ? value : high[lane];                              \
                numbers[lane] += value == value;                                                   \
            }                                                                                      \
        }                                                                                          \
        for (; i < count; i++) {                                                                   \
            low[0] = values[i] < low[0] ? values[i] : low[0];                                      \
            high[0] = values[i] > high[0] ? values[i] : high[0];                                   \
            numbers[0] += values[i] == values[i];                                                  \
        }                                                                                          \
        for (int lane = 1; lane < LANES; lane++) {                                                 \
            low[0] = low[lane] < low[0] ? low[lane] : low[0];                                      \
            high[0] = high[lane] > high[0] ? high[lane] : high[0];                                 \
            numbers[0] += numbers[lane];                                                           \
        }                                                                                          \
        *has_nan = numbers[0] < count;                                                             \
        *min = low[0] == 0 ? (TYPE)-0.0 : low[0];                                                  \
        *max = high[0] == 0 ? (TYPE)0.0 : high[0];                                                 \
        return numbers[0] > 0;                                                                     \
    }                                                                                              \
    WIDE static bool wide_##NAME(const TYPE *values, int64_t count, TYPE *min, TYPE *max,          \
                                 bool *has_nan) {                                                  \
        return extremes_##NAME(values, count, min, max, has_nan);                                  \
    }                                                                                              \
    bool stoa_min_max_##NAME(const TYPE *values, int64_t count, TYPE *min, TYPE *max,              \
                             bool *has_nan) {                                                      \
        STOA_ASSERT(count > 0);                                                                    \
        return stoa_cpu_level() == STOA_CPU_AVX512                                                 \
                   ? wide_##NAME(values, count, min, max, has_nan)                                 \
                   : extremes_##NAME(values, count, min, max, has_nan);                            \
    }

DEFINE_FLOATS(float, float)
DEFINE_FLOATS(double, double)
