/* What the processor can do, asked where a kernel has faster forms. Every fast form stands beside a
 * plain one that runs everywhere. */
#ifndef STOA_BASE_CPU_H
#define STOA_BASE_CPU_H

typedef enum stoa_cpu {
    STOA_CPU_PLAIN,
    STOA_CPU_AVX2,   /* with BMI2, as Haswell and Zen have it */
    STOA_CPU_AVX512, /* with BW, DQ, VL, VBMI and VBMI2, as Ice Lake and Zen 4 have them */
} stoa_cpu;

/// The highest level that this processor has. Costs a few loads.
static inline stoa_cpu stoa_cpu_level(void) {
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("avx2")) {
        return STOA_CPU_PLAIN;
    }
    if (__builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vbmi") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq")) {
        return STOA_CPU_AVX512;
    }
    return STOA_CPU_AVX2;
#else
    return STOA_CPU_PLAIN;
#endif
}

#endif
