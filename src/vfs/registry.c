/* The set of file systems by scheme: a short list, filled before it is shared and only read
 * afterwards, so that it needs no lock. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <stoa/http.h>
#include <stoa/s3.h>

#include "vfs/cache.h"
#include "vfs/registry.h"
#include "vfs/uri.h"
#include "vfs/vfs.h"

struct scheme {
    struct scheme *next;
    char *name;
    stoa_fs fs;
};

struct stoa_fs_registry {
    stoa_pool *pool;
    struct scheme *schemes;
    stoa_fs_watcher watcher;
    stoa_cache *cache; /* of remote files; NULL: nobody asked for one */
};

static struct scheme *scheme_find(const stoa_fs_registry *registry, const char *name,
                                  size_t length) {
    struct scheme *scheme = registry->schemes;
    while (scheme != NULL &&
           (strlen(scheme->name) != length || strncasecmp(scheme->name, name, length) != 0)) {
        scheme = scheme->next;
    }
    return scheme;
}

static bool is_scheme(const char *name) {
    char probe[64];
    size_t length = strlen(name);
    if (length == 0 || length + 2 > sizeof probe) {
        return false;
    }
    memcpy(probe, name, length);
    memcpy(probe + length, ":", 2);
    return stoa_uri_scheme_length(probe) == length;
}

void stoa_fs_close(stoa_fs *fs) {
    if (fs->operations != NULL && fs->operations->close != NULL) {
        fs->operations->close(fs->state);
    }
    *fs = (stoa_fs){0};
}

stoa_status stoa_fs_register(stoa_fs_registry *registry, const char *name, stoa_fs fs,
                             stoa_error *err) {
    if (!is_scheme(name)) {
        return stoa_fail(err, STOA_INVALID,
                         "expected a scheme of 2 to 62 letters, digits, '+', "
                         "'-' and '.', a letter first, but found '%s'",
                         name);
    }
    STOA_ASSERT(fs.operations != NULL);
    struct scheme *scheme = scheme_find(registry, name, strlen(name));
    if (scheme != NULL) {
        stoa_fs_close(&scheme->fs);
        scheme->fs = fs;
        return STOA_OK;
    }
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(registry->pool, 1, sizeof *scheme, &memory, err));
    scheme = memory;
    stoa_status status = stoa_pool_copy_string(registry->pool, name, &scheme->name, err);
    if (status != STOA_OK) {
        stoa_pool_free(registry->pool, scheme, sizeof *scheme);
        return status;
    }
    scheme->fs = fs;
    scheme->next = registry->schemes;
    registry->schemes = scheme;
    return STOA_OK;
}

/* Remote files are kept on the local disk only where the environment asks for it: nobody's disk fills
 * by surprise. */
static stoa_status add_cache(stoa_fs_registry *registry, stoa_error *err) {
    static const char *const schemes[] = {"s3", "http", "https"};
    stoa_cache_options options = {.directory = NULL};
    char name[16];
    STOA_TRY(stoa_cache_limit(&options.limit_bytes, err));
    if (options.limit_bytes == 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_cache_create(registry->pool, &options, &registry->cache, err));
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        struct scheme *scheme = scheme_find(registry, schemes[i], strlen(schemes[i]));
        stoa_fs cached;
        (void)snprintf(name, sizeof name, "%s:", schemes[i]);
        STOA_TRY(
            stoa_fs_cached_create(registry->pool, scheme->fs, name, registry->cache, &cached, err));
        scheme->fs = cached;
    }
    return STOA_OK;
}

void stoa_fs_registry_set_logger(stoa_fs_registry *registry, const stoa_logger *logger) {
    if (registry->cache != NULL) {
        stoa_cache_set_logger(registry->cache, logger);
    }
}

stoa_status stoa_fs_registry_create(stoa_pool *pool, stoa_fs_registry **out, stoa_error *err) {
    stoa_status status = STOA_OK;
    stoa_fs memory_fs = {0};
    stoa_fs s3 = {0};
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(stoa_fs_registry), &memory, err));
    stoa_fs_registry *registry = memory;
    registry->pool = pool;
    STOA_CHECK(stoa_fs_register(registry, "file", stoa_fs_local(), err));
    STOA_CHECK(stoa_fs_memory_create(pool, &memory_fs, err));
    STOA_CHECK(stoa_fs_register(registry, "memory", memory_fs, err));
    memory_fs = (stoa_fs){0};
    STOA_CHECK(stoa_fs_s3_create(pool, NULL, &s3, err));
    STOA_CHECK(stoa_fs_register(registry, "s3", s3, err));
    s3 = (stoa_fs){0};
    STOA_CHECK(stoa_fs_register_http(registry, NULL, err));
    STOA_CHECK(add_cache(registry, err));
    *out = registry;
    registry = NULL;

done:
    stoa_fs_close(&memory_fs);
    stoa_fs_close(&s3);
    stoa_fs_registry_close(registry);
    return status;
}

void stoa_fs_registry_close(stoa_fs_registry *registry) {
    if (registry == NULL) {
        return;
    }
    stoa_pool *pool = registry->pool;
    while (registry->schemes != NULL) {
        struct scheme *scheme = registry->schemes;
        registry->schemes = scheme->next;
        stoa_fs_close(&scheme->fs);
        stoa_pool_free_string(pool, scheme->name);
        stoa_pool_free(pool, scheme, sizeof *scheme);
    }
    stoa_cache_close(registry->cache);
    stoa_pool_free(pool, registry, sizeof *registry);
}

stoa_pool *stoa_fs_registry_pool(const stoa_fs_registry *registry) {
    return registry->pool;
}

stoa_status stoa_fs_registry_watch(stoa_fs_registry *registry, const stoa_fs_watcher *watcher,
                                   stoa_error *err) {
    if (registry->watcher.user != NULL) {
        return stoa_fail(err, STOA_EXISTS, "the registry is watched already");
    }
    registry->watcher = *watcher;
    return STOA_OK;
}

void stoa_fs_registry_unwatch(stoa_fs_registry *registry) {
    registry->watcher = (stoa_fs_watcher){0};
}

const stoa_fs_watcher *stoa_fs_registry_watcher(const stoa_fs_registry *registry) {
    return &registry->watcher;
}

stoa_status stoa_fs_find(stoa_fs_registry *registry, const char *uri, stoa_fs **out,
                         const char **out_path, stoa_error *err) {
    size_t length = stoa_uri_scheme_length(uri);
    const char *name = length == 0 ? "file" : uri;
    struct scheme *scheme = scheme_find(registry, name, length == 0 ? 4 : length);
    *out = NULL;
    if (scheme == NULL) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "no file system is registered for '%.*s:' in '%s' "
                         "(a local file of that name is written './%s')",
                         (int)length, uri, uri, uri);
    }
    bool is_local = strcasecmp(scheme->name, "file") == 0;
    const char *path = length == 0 ? uri : is_local ? stoa_uri_file_path(uri) : uri + length + 1;
    if (path == NULL) {
        return stoa_fail(err, STOA_UNSUPPORTED, "'%s' names a file on another host", uri);
    }
    if (path[0] == '\0') {
        return stoa_fail(err, STOA_INVALID, "expected a path but found '%s'", uri);
    }
    *out = &scheme->fs;
    *out_path = path;
    return STOA_OK;
}
