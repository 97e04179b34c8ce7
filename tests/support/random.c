/* Random numbers that a failure can be repeated with. */
#include "support.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t mix(uint64_t value) {
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

support_random support_random_open(const char *test) {
    const char *text = getenv("STOA_TEST_SEED");
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = text != NULL && text[0] != '\0'
                        ? strtoull(text, NULL, 0)
                        : mix((uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 20 ^
                              (uint64_t)getpid() << 40);
    (void)fprintf(stderr, "%s: STOA_TEST_SEED=%" PRIu64 "\n", test, seed);
    return (support_random){seed};
}

uint64_t support_random_u64(support_random *random) {
    random->state += UINT64_C(0x9e3779b97f4a7c15);
    return mix(random->state);
}

uint64_t support_random_below(support_random *random, uint64_t bound) {
    assert_true(bound > 0);
    return support_random_u64(random) % bound;
}

int64_t support_random_between(support_random *random, int64_t low, int64_t high) {
    assert_true(low <= high);
    uint64_t span = (uint64_t)high - (uint64_t)low;
    uint64_t value = support_random_u64(random);
    return (int64_t)((uint64_t)low + (span == UINT64_MAX ? value : value % (span + 1)));
}

bool support_random_bool(support_random *random) {
    return (support_random_u64(random) & 1) != 0;
}

void support_random_bytes(support_random *random, void *out, size_t size) {
    unsigned char *bytes = out;
    for (size_t i = 0; i < size;) {
        uint64_t value = support_random_u64(random);
        size_t part = size - i < sizeof value ? size - i : sizeof value;
        memcpy(bytes + i, &value, part);
        i += part;
    }
}
