/* The tree of budgets.
 *
 * `used` of a pool counts its own bytes and those of all pools below it. A request climbs from the
 * leaf to the root, adding to each `used` by compare-and-swap as long as the limit allows; where it
 * does not, what was added is taken back and the holders below that pool are asked to give.
 *
 * Lifetime: a pool lives while its handle, a child, or an allocation does (`references`). Closing
 * only drops the handle, so that a batch may outlive the database that made it.
 *
 * Lock: `root->lock` guards the list of holders and their `calls`. It is never held during a
 * call to a holder or to the allocator. */
#include "mem/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "mem/pool_registry.h"
#include "mem/system.h"
#include "base/utf8.h"

enum { POOL_NAME_BYTES = 64, HOLDER_ROUNDS_MAX = 16 };

struct stoa_pressure {
    stoa_pool *pool;
    stoa_pressure_function function;
    void *user;
    stoa_pressure *next;
    uint64_t sequence; /* order of registration: a walk goes on after the last one it called */
    int calls;         /* running now */
    bool is_leaving;   /* being unregistered: no new calls, which could go on for ever */
};

struct stoa_pool {
    pthread_mutex_t lock;     /* in the root only */
    pthread_cond_t idle;      /* a holder's `calls` came to 0; in the root only */
    stoa_pressure *holders;   /* in the root only, by ascending sequence */
    uint64_t holder_sequence; /* in the root only */
    stoa_pool *parent;
    stoa_pool *root;
    stoa_allocator allocator;
    stoa_system *system; /* behind `allocator`, in a root that was given none; else NULL */
    size_t limit;
    atomic_size_t used;
    atomic_size_t peak;
    atomic_size_t references;
    stoa_resources *resources; /* what is open on it and below; NULL: look above */
    char name[POOL_NAME_BYTES];
};

static void pool_unreference(stoa_pool *pool) {
    while (pool != NULL) {
        /* Release: our writes come before the free. Acquire: the freeing thread sees them all. */
        if (atomic_fetch_sub_explicit(&pool->references, 1, memory_order_acq_rel) != 1) {
            return;
        }
        stoa_pool *parent = pool->parent;
        STOA_ASSERT(atomic_load(&pool->used) == 0);
        if (parent == NULL) {
            STOA_ASSERT(pool->holders == NULL);
            (void)pthread_cond_destroy(&pool->idle);
            (void)pthread_mutex_destroy(&pool->lock);
        }
        stoa_system *system = pool->system;
        pool->allocator.release(pool->allocator.user, pool, sizeof *pool);
        stoa_system_close(system);
        pool = parent;
    }
}

static void uncharge(stoa_pool *from, const stoa_pool *until, size_t size) {
    for (stoa_pool *pool = from; pool != until; pool = pool->parent) {
        (void)atomic_fetch_sub_explicit(&pool->used, size, memory_order_relaxed);
    }
}

/* Adds `size` to every pool from the leaf up; returns the pool that refused, or NULL. */
static stoa_pool *try_charge(stoa_pool *leaf, size_t size) {
    for (stoa_pool *pool = leaf; pool != NULL; pool = pool->parent) {
        size_t used = atomic_load_explicit(&pool->used, memory_order_relaxed);
        size_t wanted;
        do {
            if (!stoa_add_size(used, size, &wanted) || (pool->limit != 0 && wanted > pool->limit)) {
                uncharge(leaf, pool, size);
                return pool;
            }
        } while (!atomic_compare_exchange_weak_explicit(&pool->used, &used, wanted,
                                                        memory_order_relaxed,
                                                        memory_order_relaxed));
        size_t peak = atomic_load_explicit(&pool->peak, memory_order_relaxed);
        while (peak < wanted &&
               !atomic_compare_exchange_weak_explicit(&pool->peak, &peak, wanted,
                                                      memory_order_relaxed, memory_order_relaxed)) {
        }
    }
    return NULL;
}

static bool is_within(const stoa_pool *pool, const stoa_pool *ancestor) {
    for (; pool != NULL; pool = pool->parent) {
        if (pool == ancestor) {
            return true;
        }
    }
    return false;
}

/* Asks each holder below `full` once, until `needed` bytes came back. */
static size_t ask_holders(stoa_pool *full, size_t needed) {
    stoa_pool *root = full->root;
    size_t given = 0;
    uint64_t after = 0;
    (void)pthread_mutex_lock(&root->lock);
    for (stoa_pressure *holder = root->holders; holder != NULL && given < needed;) {
        if (holder->sequence <= after || holder->is_leaving || !is_within(holder->pool, full)) {
            holder = holder->next;
            continue;
        }
        after = holder->sequence;
        holder->calls++;
        (void)pthread_mutex_unlock(&root->lock);
        given += holder->function(holder->user, needed - given);
        (void)pthread_mutex_lock(&root->lock);
        stoa_pressure *next = holder->next; /* `calls` kept the holder in the list until here */
        holder->calls--;
        if (holder->calls == 0) {
            (void)pthread_cond_broadcast(&root->idle);
        }
        holder = next;
    }
    (void)pthread_mutex_unlock(&root->lock);
    return given;
}

static stoa_status charge(stoa_pool *pool, size_t size, stoa_error *err) {
    stoa_pool *full = try_charge(pool, size);
    for (int round = 0; full != NULL && round < HOLDER_ROUNDS_MAX; round++) {
        size_t given = ask_holders(full, size);
        stoa_pool *still_full = try_charge(pool, size);
        if (still_full != NULL && given == 0) {
            full = still_full;
            break;
        }
        full = still_full;
    }
    if (full == NULL) {
        (void)atomic_fetch_add_explicit(&pool->references, 1, memory_order_relaxed);
        return STOA_OK;
    }
    return stoa_fail(err, STOA_LIMIT,
                     "memory pool '%s' is full: limit %zu bytes, in use %zu, requested %zu",
                     full->name, full->limit,
                     atomic_load_explicit(&full->used, memory_order_relaxed), size);
}

static void give_back(stoa_pool *pool, size_t size) {
    uncharge(pool, NULL, size);
    pool_unreference(pool);
}

static stoa_status make_pool(stoa_pool *parent, const char *name, size_t limit,
                             const stoa_allocator *allocator, stoa_pool **out, stoa_error *err) {
    stoa_pool *pool = allocator->allocate(allocator->user, sizeof *pool);
    if (pool == NULL) {
        return stoa_fail(err, STOA_NO_MEMORY, "no memory for the memory pool '%s'", name);
    }
    memset(pool, 0, sizeof *pool);
    pool->allocator = *allocator;
    pool->limit = limit;
    pool->parent = parent;
    pool->root = parent == NULL ? pool : parent->root;
    (void)snprintf(pool->name, sizeof pool->name, "%s", name);
    stoa_utf8_cut(pool->name, sizeof pool->name);
    atomic_init(&pool->used, 0);
    atomic_init(&pool->peak, 0);
    atomic_init(&pool->references, 1);
    *out = pool;
    return STOA_OK;
}

stoa_status stoa_pool_create(size_t limit, const stoa_allocator *allocator, stoa_pool **out,
                             stoa_error *err) {
    stoa_allocator chosen = {0};
    stoa_system *system = NULL;
    stoa_pool *pool = NULL;
    *out = NULL;
    if (allocator != NULL && allocator->allocate != NULL) {
        STOA_ASSERT(allocator->release != NULL);
        chosen = *allocator;
    } else {
        system = stoa_system_create();
        if (system == NULL) {
            return stoa_fail(err, STOA_NO_MEMORY, "no memory for a memory pool");
        }
        chosen = stoa_system_allocator(system);
    }
    stoa_status status = make_pool(NULL, "root", limit, &chosen, &pool, err);
    if (status != STOA_OK) {
        stoa_system_close(system);
        return status;
    }
    pool->system = system;
    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_cond_init(&pool->idle, NULL);
    *out = pool;
    return STOA_OK;
}

stoa_status stoa_pool_create_child(stoa_pool *parent, const char *name, size_t limit,
                                   stoa_pool **out, stoa_error *err) {
    *out = NULL;
    STOA_TRY(make_pool(parent, name, limit, &parent->allocator, out, err));
    (void)atomic_fetch_add_explicit(&parent->references, 1, memory_order_relaxed);
    return STOA_OK;
}

void stoa_pool_close(stoa_pool *pool) {
    pool_unreference(pool);
}

size_t stoa_pool_used(const stoa_pool *pool) {
    return atomic_load_explicit(&((stoa_pool *)(uintptr_t)pool)->used, memory_order_relaxed);
}

size_t stoa_pool_peak(const stoa_pool *pool) {
    return atomic_load_explicit(&((stoa_pool *)(uintptr_t)pool)->peak, memory_order_relaxed);
}

size_t stoa_pool_limit(const stoa_pool *pool) {
    size_t limit = pool->limit;
    for (pool = pool->parent; pool != NULL; pool = pool->parent) {
        if (pool->limit > 0 && (limit == 0 || pool->limit < limit)) {
            limit = pool->limit;
        }
    }
    return limit;
}

const char *stoa_pool_name(const stoa_pool *pool) {
    return pool->name;
}

stoa_status stoa_pool_allocate(stoa_pool *pool, size_t size, void **out, stoa_error *err) {
    *out = NULL;
    STOA_TRY(charge(pool, size, err));
    void *memory = pool->allocator.allocate(pool->allocator.user, size == 0 ? 1 : size);
    if (memory == NULL) {
        give_back(pool, size);
        return stoa_fail(err, STOA_NO_MEMORY, "no memory: %zu bytes for the pool '%s'", size,
                         pool->name);
    }
    *out = memory;
    return STOA_OK;
}

stoa_status stoa_pool_allocate_array(stoa_pool *pool, size_t count, size_t size, void **out,
                                     stoa_error *err) {
    size_t bytes;
    *out = NULL;
    if (!stoa_mul_size(count, size, &bytes)) {
        return stoa_fail(err, STOA_LIMIT, "%zu elements of %zu bytes are more than memory can hold",
                         count, size);
    }
    STOA_TRY(stoa_pool_allocate(pool, bytes, out, err));
    memset(*out, 0, bytes);
    return STOA_OK;
}

stoa_status stoa_pool_reallocate(stoa_pool *pool, void **memory, size_t old_size, size_t new_size,
                                 stoa_error *err) {
    void *moved = NULL;
    STOA_TRY(stoa_pool_allocate(pool, new_size, &moved, err));
    if (*memory != NULL) {
        memcpy(moved, *memory, old_size < new_size ? old_size : new_size);
        stoa_pool_free(pool, *memory, old_size);
    }
    *memory = moved;
    return STOA_OK;
}

void stoa_pool_free(stoa_pool *pool, void *memory, size_t size) {
    if (memory == NULL) {
        return;
    }
    pool->allocator.release(pool->allocator.user, memory, size == 0 ? 1 : size);
    give_back(pool, size);
}

stoa_status stoa_pool_copy_text(stoa_pool *pool, const char *text, size_t size, char **out,
                                stoa_error *err) {
    void *copy = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate(pool, size + 1, &copy, err));
    if (size > 0) {
        memcpy(copy, text, size);
    }
    ((char *)copy)[size] = '\0';
    *out = copy;
    return STOA_OK;
}

stoa_status stoa_pool_copy_string(stoa_pool *pool, const char *text, char **out, stoa_error *err) {
    *out = NULL;
    return text == NULL ? STOA_OK : stoa_pool_copy_text(pool, text, strlen(text), out, err);
}

void stoa_pool_free_string(stoa_pool *pool, char *text) {
    if (text != NULL) {
        stoa_pool_free(pool, text, strlen(text) + 1);
    }
}

stoa_status stoa_reservation_resize(stoa_reservation *reservation, stoa_pool *pool, size_t bytes,
                                    stoa_error *err) {
    STOA_ASSERT(reservation->pool == NULL || reservation->pool == pool);
    if (reservation->pool == NULL) {
        STOA_TRY(charge(pool, bytes, err));
        reservation->pool = pool;
    } else if (bytes > reservation->bytes) {
        STOA_TRY(charge(pool, bytes - reservation->bytes, err));
        pool_unreference(pool); /* one reference a reservation, however often it grows */
    } else {
        uncharge(pool, NULL, reservation->bytes - bytes);
    }
    reservation->bytes = bytes;
    return STOA_OK;
}

void stoa_reservation_release(stoa_reservation *reservation) {
    if (reservation->pool != NULL) {
        give_back(reservation->pool, reservation->bytes);
    }
    *reservation = (stoa_reservation){0};
}

stoa_status stoa_pressure_register(stoa_pool *pool, stoa_pressure_function function, void *user,
                                   stoa_pressure **out, stoa_error *err) {
    stoa_pool *root = pool->root;
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(stoa_pressure), &memory, err));
    stoa_pressure *holder = memory;
    holder->pool = pool;
    holder->function = function;
    holder->user = user;
    (void)pthread_mutex_lock(&root->lock);
    holder->sequence = ++root->holder_sequence;
    stoa_pressure **tail = &root->holders;
    while (*tail != NULL) {
        tail = &(*tail)->next;
    }
    *tail = holder;
    (void)pthread_mutex_unlock(&root->lock);
    *out = holder;
    return STOA_OK;
}

void stoa_pressure_unregister(stoa_pressure *pressure) {
    if (pressure == NULL) {
        return;
    }
    stoa_pool *root = pressure->pool->root;
    (void)pthread_mutex_lock(&root->lock);
    pressure->is_leaving = true;
    while (pressure->calls > 0) {
        (void)pthread_cond_wait(&root->idle, &root->lock);
    }
    stoa_pressure **link = &root->holders;
    while (*link != pressure) {
        link = &(*link)->next;
    }
    *link = pressure->next;
    (void)pthread_mutex_unlock(&root->lock);
    stoa_pool_free(pressure->pool, pressure, sizeof *pressure);
}

void stoa_pool_set_resources(stoa_pool *pool, stoa_resources *resources) {
    pool->resources = resources;
}

stoa_resources *stoa_pool_resources(const stoa_pool *pool) {
    while (pool != NULL && pool->resources == NULL) {
        pool = pool->parent;
    }
    return pool == NULL ? NULL : pool->resources;
}
