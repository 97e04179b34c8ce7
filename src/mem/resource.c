/* The registry: a list for each kind under one lock. An entry outlives neither its registry's close
 * nor its owner's leave, whichever is the later, so both may come in any order. */
#include "mem/resource.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "mem/pool_registry.h"

#if defined(STOA_ASSERTS)
#include <execinfo.h>
enum { FRAMES = 16, OWN_FRAMES = 2 };
#endif

struct stoa_resource {
    stoa_pool *pool;
    stoa_resources *_Atomic resources; /* NULL: released */
    stoa_resource *older;
    stoa_resource *newer;
    stoa_resource_kind kind;
    const char *name;
    stoa_resource_release release;
    stoa_resource_release stop; /* NULL, as `hold`, where nobody else lets go of the owner */
    stoa_resource_release hold;
    void *owner;
#if defined(STOA_ASSERTS)
    void *frames[FRAMES];
    int frame_count;
#endif
};

struct stoa_resources {
    stoa_pool *pool;
    pthread_mutex_t lock;
    stoa_resource *newest[STOA_RESOURCE_KIND_COUNT];
    stoa_resource *oldest[STOA_RESOURCE_KIND_COUNT];
};

const char *stoa_resource_kind_name(stoa_resource_kind kind) {
    static const char *const names[] = {"task",    "pipeline",    "stream", "sink",
                                        "session", "transaction", "state", "file"};
    return names[kind];
}

stoa_status stoa_resources_create(stoa_pool *pool, stoa_resources **out, stoa_error *err) {
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof **out, &memory, err));
    stoa_resources *resources = memory;
    resources->pool = pool;
    (void)pthread_mutex_init(&resources->lock, NULL);
    stoa_pool_set_resources(pool, resources);
    *out = resources;
    return STOA_OK;
}

/* ---- entering and leaving ---- */

static void link_in(stoa_resources *resources, stoa_resource *resource) {
    stoa_resource **newest = &resources->newest[resource->kind];
    resource->older = *newest;
    if (*newest != NULL) {
        (*newest)->newer = resource;
    } else {
        resources->oldest[resource->kind] = resource;
    }
    *newest = resource;
}

static void take_out(stoa_resources *resources, stoa_resource *resource) {
    if (resource->newer != NULL) {
        resource->newer->older = resource->older;
    } else {
        resources->newest[resource->kind] = resource->older;
    }
    if (resource->older != NULL) {
        resource->older->newer = resource->newer;
    } else {
        resources->oldest[resource->kind] = resource->newer;
    }
    resource->older = resource->newer = NULL;
}

stoa_status stoa_resource_enter(stoa_pool *pool, stoa_resource_kind kind, const char *name,
                                stoa_resource_release release, void *owner, stoa_resource **out,
                                stoa_error *err) {
    stoa_resources *resources = stoa_pool_resources(pool);
    void *memory = NULL;
    *out = NULL;
    if (resources == NULL) {
        return STOA_OK;
    }
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof **out, &memory, err));
    stoa_resource *resource = memory;
    resource->pool = pool;
    atomic_init(&resource->resources, resources);
    resource->kind = kind;
    resource->name = name == NULL ? "" : name;
    resource->release = release;
    resource->owner = owner;
#if defined(STOA_ASSERTS)
    resource->frame_count = backtrace(resource->frames, FRAMES);
#endif
    (void)pthread_mutex_lock(&resources->lock);
    link_in(resources, resource);
    (void)pthread_mutex_unlock(&resources->lock);
    *out = resource;
    return STOA_OK;
}

void stoa_resource_leave(stoa_resource *resource) {
    if (resource == NULL) {
        return;
    }
    /* A task may end while the registry releases it, and waits for it: the registry is there until
     * then, but the entry may be out of its list by the time the lock is held. */
    stoa_resources *resources = atomic_load_explicit(&resource->resources, memory_order_acquire);
    if (resources != NULL) {
        (void)pthread_mutex_lock(&resources->lock);
        if (atomic_load_explicit(&resource->resources, memory_order_relaxed) != NULL) {
            take_out(resources, resource);
        }
        (void)pthread_mutex_unlock(&resources->lock);
    }
    stoa_pool_free(resource->pool, resource, sizeof *resource);
}

void stoa_resource_set_running(stoa_resource *resource, stoa_resource_release stop,
                               stoa_resource_release hold) {
    stoa_resources *resources = resource == NULL ? NULL
                                                 : atomic_load_explicit(&resource->resources,
                                                                        memory_order_acquire);
    if (resources != NULL) {
        (void)pthread_mutex_lock(&resources->lock);
        resource->stop = stop;
        resource->hold = hold;
        (void)pthread_mutex_unlock(&resources->lock);
    }
}

void stoa_resource_rename(stoa_resource *resource, const char *name) {
    stoa_resources *resources = resource == NULL ? NULL
                                                 : atomic_load_explicit(&resource->resources,
                                                                        memory_order_acquire);
    if (resources != NULL) {
        (void)pthread_mutex_lock(&resources->lock);
        resource->name = name;
        (void)pthread_mutex_unlock(&resources->lock);
    }
}

void stoa_resources_each(stoa_pool *pool, stoa_resource_function function, void *user) {
    stoa_resources *resources = stoa_pool_resources(pool);
    if (resources == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&resources->lock);
    for (int kind = 0; kind < STOA_RESOURCE_KIND_COUNT; kind++) {
        for (const stoa_resource *resource = resources->oldest[kind]; resource != NULL;
             resource = resource->newer) {
            function(user, resource->kind, resource->name);
        }
    }
    (void)pthread_mutex_unlock(&resources->lock);
}

/* ---- closing ---- */

/* All at once: one that is waited for may be helped by running another. */
static void stop_all(stoa_resources *resources) {
    (void)pthread_mutex_lock(&resources->lock);
    for (int kind = 0; kind < STOA_RESOURCE_KIND_COUNT; kind++) {
        for (stoa_resource *each = resources->newest[kind]; each != NULL; each = each->older) {
            if (each->stop != NULL) {
                each->stop(each->owner);
            }
        }
    }
    (void)pthread_mutex_unlock(&resources->lock);
}

/* A copy: once the entry is out of its list, and the lock let go, its owner's leave frees it, which
 * for a task may be at any time and on any thread. */
static bool take_newest(stoa_resources *resources, stoa_resource_kind last, stoa_resource *out) {
    stoa_resource *found = NULL;
    (void)pthread_mutex_lock(&resources->lock);
    for (int kind = 0; kind <= (int)last && found == NULL; kind++) {
        found = resources->newest[kind];
    }
    if (found != NULL) {
        take_out(resources, found);
        if (found->hold != NULL) {
            found->hold(found->owner);
        }
        *out = *found;
        atomic_store_explicit(&found->resources, NULL, memory_order_release);
    }
    (void)pthread_mutex_unlock(&resources->lock);
    return found != NULL;
}

#if defined(STOA_ASSERTS)
static void report(const stoa_resource *resource, const stoa_logger *logger, const char *owner) {
    char **symbols = backtrace_symbols(resource->frames, resource->frame_count);
    stoa_log(logger, STOA_LOG_WARN, "mem", "%s was closed with an open %s '%s', opened at:", owner,
             stoa_resource_kind_name(resource->kind), resource->name);
    for (int i = OWN_FRAMES; symbols != NULL && i < resource->frame_count; i++) {
        stoa_log(logger, STOA_LOG_WARN, "mem", "    %s", symbols[i]);
    }
    free((void *)symbols);
}
#endif

int64_t stoa_resources_release(stoa_resources *resources, stoa_resource_kind last,
                               const stoa_logger *logger, const char *owner_name) {
    int64_t count = 0;
    stoa_resource resource;
    if (resources == NULL) {
        return 0;
    }
    stop_all(resources);
    while (take_newest(resources, last, &resource)) {
        count++;
#if defined(STOA_ASSERTS)
        report(&resource, logger, owner_name);
#endif
        /* Releasing may close what it holds, which leaves the registry by itself. */
        if (resource.release != NULL) {
            resource.release(resource.owner);
        }
    }
#if !defined(STOA_ASSERTS)
    if (count > 0) {
        stoa_log(logger, STOA_LOG_WARN, "mem",
                 "%s was closed with %" PRId64 " of its streams, sinks, sessions, transactions, "
                 "files, pipelines or tasks open",
                 owner_name, count);
    }
#endif
    return count;
}

void stoa_resources_close(stoa_resources *resources, const stoa_logger *logger,
                          const char *owner_name) {
    if (resources == NULL) {
        return;
    }
    (void)stoa_resources_release(resources, STOA_RESOURCE_FILE, logger, owner_name);
    stoa_pool_set_resources(resources->pool, NULL);
    (void)pthread_mutex_destroy(&resources->lock);
    stoa_pool_free(resources->pool, resources, sizeof *resources);
}
