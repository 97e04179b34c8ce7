/* An allocator that counts. Each block stands behind a head with its size, 64 bytes long so that the
 * block keeps its alignment; the address sanitizer sees each block as one of malloc's. */
#include "support.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_BYTES = 64 };
static const uint64_t MAGIC = UINT64_C(0x53544f4154455354);

struct head {
    uint64_t magic;
    size_t size;
};

struct support_allocator {
    pthread_mutex_t lock;
    uint64_t live_bytes;
    uint64_t live_blocks;
    uint64_t calls;
    uint64_t fail_at;
    bool failed;
};

static void *hook_allocate(void *user, size_t size) {
    support_allocator *allocator = user;
    (void)pthread_mutex_lock(&allocator->lock);
    bool fails = ++allocator->calls == allocator->fail_at;
    allocator->failed = allocator->failed || fails;
    (void)pthread_mutex_unlock(&allocator->lock);
    void *memory = NULL;
    if (fails || size > SIZE_MAX / 4 ||
        posix_memalign(&memory, STOA_ALIGNMENT_BYTES, size + HEAD_BYTES) != 0) {
        return NULL;
    }
    *(struct head *)memory = (struct head){MAGIC, size};
    /* Nobody may count on zeros that were not asked for. */
    memset((char *)memory + HEAD_BYTES, 0xA5, size);
    (void)pthread_mutex_lock(&allocator->lock);
    allocator->live_bytes += size;
    allocator->live_blocks++;
    (void)pthread_mutex_unlock(&allocator->lock);
    return (char *)memory + HEAD_BYTES;
}

static void hook_release(void *user, void *memory, size_t size) {
    support_allocator *allocator = user;
    struct head *head = (void *)((char *)memory - HEAD_BYTES);
    if (head->magic != MAGIC || head->size != size) {
        print_error("released %zu bytes at %p, where %zu were allocated\n", size, memory,
                    head->magic == MAGIC ? head->size : 0);
        abort();
    }
    head->magic = 0;
    free(head);
    (void)pthread_mutex_lock(&allocator->lock);
    allocator->live_bytes -= size;
    allocator->live_blocks--;
    (void)pthread_mutex_unlock(&allocator->lock);
}

support_allocator *support_allocator_create(void) {
    support_allocator *allocator = calloc(1, sizeof *allocator);
    assert_non_null(allocator);
    (void)pthread_mutex_init(&allocator->lock, NULL);
    return allocator;
}

void support_allocator_close(support_allocator *allocator) {
    uint64_t bytes = allocator->live_bytes;
    uint64_t blocks = allocator->live_blocks;
    (void)pthread_mutex_destroy(&allocator->lock);
    free(allocator);
    if (blocks != 0) {
        print_error("leaked: %llu bytes in %llu blocks\n", (unsigned long long)bytes,
                    (unsigned long long)blocks);
        fail();
    }
}

stoa_allocator support_allocator_hooks(support_allocator *allocator) {
    return (stoa_allocator){hook_allocate, hook_release, allocator};
}

void support_allocator_fail_at(support_allocator *allocator, uint64_t nth) {
    (void)pthread_mutex_lock(&allocator->lock);
    allocator->calls = 0;
    allocator->fail_at = nth;
    allocator->failed = false;
    (void)pthread_mutex_unlock(&allocator->lock);
}

bool support_allocator_failed(const support_allocator *allocator) {
    return allocator->failed;
}

uint64_t support_allocator_live_bytes(const support_allocator *allocator) {
    return allocator->live_bytes;
}

uint64_t support_allocator_calls(const support_allocator *allocator) {
    return allocator->calls;
}

/* Which allocator a pool of support_pool_open stands on: a handful at most are open in a test. */
enum { POOLS_MAX = 64 };
static struct {
    stoa_pool *pool;
    support_allocator *allocator;
} pools[POOLS_MAX];

stoa_pool *support_pool_open(void) {
    support_allocator *allocator = support_allocator_create();
    stoa_allocator hooks = support_allocator_hooks(allocator);
    stoa_error err = STOA_ERROR_NONE;
    for (size_t i = 0; i < POOLS_MAX; i++) {
        if (pools[i].pool == NULL) {
            assert_ok(stoa_pool_create(0, &hooks, &pools[i].pool, &err), err);
            pools[i].allocator = allocator;
            return pools[i].pool;
        }
    }
    fail_msg("more than %d pools at once", POOLS_MAX);
    return NULL;
}

void support_pool_close(stoa_pool *pool) {
    for (size_t i = 0; i < POOLS_MAX; i++) {
        if (pool != NULL && pools[i].pool == pool) {
            pools[i].pool = NULL;
            if (stoa_pool_used(pool) != 0) {
                print_error("leaked: the pool still counts %zu bytes\n", stoa_pool_used(pool));
                fail();
            }
            stoa_pool_close(pool);
            support_allocator_close(pools[i].allocator);
            return;
        }
    }
    assert_null(pool);
}
