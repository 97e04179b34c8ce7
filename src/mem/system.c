/* Memory from the system: small blocks from malloc, large ones as mappings of their own.
 *
 * Loading and scanning take and give back blocks of some ten kilobytes to some megabytes in
 * several threads. glibc keeps such blocks in its heaps, where they fragment: a load whose pools
 * never held more than 60 MB grew the process to 600 MB. A mapping goes back whole; and because a
 * fresh one costs a page fault for every 4 KiB, and clearing it, the latest are kept for the next
 * request of the same class: up to cache_bytes_min, and a quarter of what is in use. So the memtables of
 * one generation go to the next, and nothing to speak of is kept when little is in use.
 *
 * Classes: a quarter of a power of two apart, so that at most a fifth of a mapping is beyond what was
 * asked for, and the pages there are never touched. The largest ask for huge pages, which are one fault
 * instead of 512: a tenth of the time that a compressed Parquet file takes when it is read first.
 *
 * Lock: `lock` guards the cache; no system call is made while it is held. */
#include "mem/system.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"

enum { CACHE_BLOCKS = 256 };
enum { CACHE_SHARE = 4 };
static const size_t cache_bytes_min = 32u << 20;

/* The address sanitizer guards what malloc gives, and nothing else. */
#if defined(__SANITIZE_ADDRESS__)
static const size_t large_bytes_min = SIZE_MAX;
#else
static const size_t large_bytes_min = 64u << 10;
#endif

static const size_t huge_bytes_min = 4u << 20;

struct block {
    void *memory;
    size_t size;
};

struct stoa_system {
    pthread_mutex_t lock;
    size_t used_bytes; /* of mappings that are not in the cache */
    size_t cached_bytes;
    size_t block_count;
    struct block blocks[CACHE_BLOCKS]; /* oldest first */
};

/* `size` is at least large_bytes_min and at most half of the address space. */
static size_t class_bytes(size_t size) {
    size_t power = (size_t)1 << (63 - __builtin_clzll((unsigned long long)(size - 1)));
    size_t step = power / 4;
    return (size + step - 1) / step * step;
}

static void *cache_take(stoa_system *system, size_t size) {
    void *memory = NULL;
    (void)pthread_mutex_lock(&system->lock);
    system->used_bytes += size;
    for (size_t i = system->block_count; i > 0 && memory == NULL; i--) {
        if (system->blocks[i - 1].size == size) {
            memory = system->blocks[i - 1].memory;
            system->block_count--;
            system->cached_bytes -= size;
            memmove(&system->blocks[i - 1], &system->blocks[i],
                    (system->block_count - (i - 1)) * sizeof(struct block));
        }
    }
    (void)pthread_mutex_unlock(&system->lock);
    return memory;
}

/* Puts a block in, and moves the oldest out to `evicted` until it fits; one that would be half of all that
 * is kept, only itself. Returns how many. */
static size_t cache_put(stoa_system *system, struct block block, struct block *evicted) {
    size_t count = 0;
    (void)pthread_mutex_lock(&system->lock);
    system->used_bytes -= block.size;
    const size_t most = cache_bytes_min + system->used_bytes / CACHE_SHARE;
    const bool is_kept = block.size <= most / 2;
    const size_t wanted = system->cached_bytes + (is_kept ? block.size : 0);
    size_t freed = 0;
    while (count < system->block_count &&
           (system->block_count - count == CACHE_BLOCKS || wanted - freed > most)) {
        evicted[count] = system->blocks[count];
        freed += evicted[count].size;
        count++;
    }
    system->block_count -= count;
    system->cached_bytes = wanted - freed;
    memmove(system->blocks, system->blocks + count, system->block_count * sizeof(struct block));
    if (is_kept) {
        system->blocks[system->block_count++] = block;
    } else {
        evicted[count++] = block;
    }
    (void)pthread_mutex_unlock(&system->lock);
    return count;
}

static void forget(stoa_system *system, size_t size) {
    (void)pthread_mutex_lock(&system->lock);
    system->used_bytes -= size;
    (void)pthread_mutex_unlock(&system->lock);
}

static void *system_allocate(void *user, size_t size) {
    void *memory = NULL;
    if (size < large_bytes_min) {
        return posix_memalign(&memory, STOA_ALIGNMENT_BYTES, size) == 0 ? memory : NULL;
    }
    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    size_t bytes = class_bytes(size);
    memory = cache_take(user, bytes);
    if (memory == NULL) {
        memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            forget(user, bytes);
            return NULL;
        }
        if (bytes >= huge_bytes_min) {
            (void)madvise(memory, bytes, MADV_HUGEPAGE); /* a wish */
        }
    }
    return memory;
}

static void system_release(void *user, void *memory, size_t size) {
    if (size < large_bytes_min) {
        free(memory);
        return;
    }
    struct block evicted[CACHE_BLOCKS + 1];
    struct block block = {memory, class_bytes(size)};
    size_t count = cache_put(user, block, evicted);
    for (size_t i = 0; i < count; i++) {
        (void)munmap(evicted[i].memory, evicted[i].size);
    }
}

stoa_system *stoa_system_create(void) {
    stoa_system *system = calloc(1, sizeof *system);
    if (system != NULL) {
        (void)pthread_mutex_init(&system->lock, NULL);
    }
    return system;
}

void stoa_system_close(stoa_system *system) {
    if (system == NULL) {
        return;
    }
    for (size_t i = 0; i < system->block_count; i++) {
        (void)munmap(system->blocks[i].memory, system->blocks[i].size);
    }
    (void)pthread_mutex_destroy(&system->lock);
    free(system);
}

stoa_allocator stoa_system_allocator(stoa_system *system) {
    return (stoa_allocator){system_allocate, system_release, system};
}
