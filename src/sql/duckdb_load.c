/* Opens libduckdb with dlopen and fills the function table.
 *
 * Loading the library costs 11 ms and 13 MB, so it is done at the first SQL and not at start. It is
 * looked for in, and only the first that exists is taken:
 *
 *     1. $STOA_DUCKDB_DIR
 *     2. the folder of the library or program that this code is in, and stoa/ below it
 *     3. ../lib/stoa and ../lib beside that folder
 *     4. where set-up put it when this was built
 *
 * The table is the module's one global: written once, under a lock, and constant from then on. The
 * library is one for the whole process, too, and DuckDB's callbacks get nothing but handles that
 * can only be asked through the table.
 *
 * RTLD_LOCAL keeps DuckDB's symbols (C++, unversioned) out of the program's name space. The library
 * is never closed: its destructors and threads have no good moment for that. */
#include "sql/duckdb_load.h"

#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

#ifndef STOA_DUCKDB_BUILD_DIR
#define STOA_DUCKDB_BUILD_DIR ""
#endif

#define LIBRARY_NAME "libduckdb.so"
enum { PLACE_COUNT_MAX = 6, PLACES_TEXT_BYTES = 700 };

static struct {
    pthread_mutex_t lock;
    struct duckdb_api api;
    _Atomic(const struct duckdb_api *) loaded; /* released after `api` was written */
} process = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct places {
    char folder[PLACE_COUNT_MAX][PATH_MAX];
    int count;
};

static void places_add(struct places *places, const char *folder, const char *below) {
    if (folder == NULL || folder[0] == '\0' || places->count == PLACE_COUNT_MAX) {
        return;
    }
    char *out = places->folder[places->count];
    int size = snprintf(out, PATH_MAX, "%s%s", folder, below);
    if (size > 0 && size < PATH_MAX) {
        places->count++;
    }
}

/* The folder of the file that holds this function: libstoa.so, or a program with libstoa.a in it. */
static bool own_folder(char out[PATH_MAX]) {
    Dl_info info;
    if (dladdr((const void *)&stoa_sql_duckdb_load, &info) == 0 || info.dli_fname == NULL) {
        return false;
    }
    char resolved[PATH_MAX];
    const char *path = info.dli_fname;
    if (strchr(path, '/') == NULL) {
        path = "/proc/self/exe"; /* a program found through PATH has a bare name here */
    }
    if (realpath(path, resolved) == NULL) {
        return false;
    }
    strcpy(out, dirname(resolved));
    return true;
}

static void places_collect(struct places *places) {
    places_add(places, getenv("STOA_DUCKDB_DIR"), "");
    char own[PATH_MAX];
    if (own_folder(own)) {
        places_add(places, own, "");
        places_add(places, own, "/stoa");
        places_add(places, own, "/../lib/stoa");
        places_add(places, own, "/../lib");
    }
    places_add(places, STOA_DUCKDB_BUILD_DIR, "");
}

static bool library_path(const char *folder, char out[PATH_MAX]) {
    int size = snprintf(out, PATH_MAX, "%s/" LIBRARY_NAME, folder);
    return size > 0 && size < PATH_MAX && access(out, R_OK) == 0;
}

/* A data pointer of dlsym becomes a function pointer through memory, as POSIX has it. */
static stoa_status resolve(void *library, const char *path, const char *name, void *slot,
                           stoa_error *err) {
    void *symbol = dlsym(library, name);
    if (symbol == NULL) {
        return stoa_fail(err, STOA_UNSUPPORTED, "'%s' lacks the function %s", path, name);
    }
    memcpy(slot, &symbol, sizeof symbol);
    return STOA_OK;
}

static stoa_status fill(struct duckdb_api *api, const char *path, stoa_error *err) {
    STOA_TRY(resolve(api->library, path, "duckdb_library_version", &api->library_version, err));
    const char *version = api->library_version();
    if (strncmp(version, "v1.5.", 5) != 0) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "'%s' is DuckDB %s: expected 1.5 (1.5.6 is what Stoa is tested with)",
                         path, version[0] == 'v' ? version + 1 : version);
    }
#define RESOLVE(result, name, parameters)                                                          \
    STOA_TRY(resolve(api->library, path, "duckdb_" #name, &api->name, err));
    DUCKDB_API_FUNCTIONS(RESOLVE)
#undef RESOLVE
    return STOA_OK;
}

static stoa_status load_path(const char *path, struct duckdb_api *out, stoa_error *err) {
    struct duckdb_api api = {0};
    api.library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (api.library == NULL) {
        const char *reason = dlerror();
        return stoa_fail(err, STOA_UNSUPPORTED, "'%s' does not load: %s", path,
                         reason != NULL ? reason : "no reason given");
    }
    stoa_status status = fill(&api, path, err);
    if (status != STOA_OK) {
        dlclose(api.library);
        return status;
    }
    *out = api;
    return STOA_OK;
}

stoa_status stoa_sql_duckdb_load_from(const char *folder, struct duckdb_api *out, stoa_error *err) {
    char path[PATH_MAX];
    if (!library_path(folder, path)) {
        return stoa_fail(err, STOA_NOT_FOUND, "no " LIBRARY_NAME " in '%s'", folder);
    }
    return load_path(path, out, err);
}

static stoa_status search(struct duckdb_api *out, stoa_error *err) {
    struct places places = {0};
    places_collect(&places);
    char looked[PLACES_TEXT_BYTES] = "";
    size_t used = 0;
    for (int i = 0; i < places.count; i++) {
        char path[PATH_MAX];
        if (library_path(places.folder[i], path)) {
            return load_path(path, out, err);
        }
        int size = snprintf(looked + used, sizeof looked - used, "%s'%s'", i > 0 ? ", " : "",
                            places.folder[i]);
        if (size < 0 || (size_t)size >= sizeof looked - used) {
            looked[used] = '\0'; /* the rest of a very long list is left out */
            break;
        }
        used += (size_t)size;
    }
    return stoa_fail(err, STOA_NOT_FOUND,
                     LIBRARY_NAME " was not found; looked in %s; set STOA_DUCKDB_DIR to the folder "
                                  "that holds it",
                     looked);
}

const struct duckdb_api *stoa_sql_duckdb_loaded(void) {
    return atomic_load_explicit(&process.loaded, memory_order_acquire);
}

stoa_status stoa_sql_duckdb_load(const struct duckdb_api **out, stoa_error *err) {
    stoa_status status = STOA_OK;
    *out = stoa_sql_duckdb_loaded();
    if (*out != NULL) {
        return STOA_OK;
    }
    pthread_mutex_lock(&process.lock);
    if (stoa_sql_duckdb_loaded() == NULL) {
        status = search(&process.api, err);
        if (status == STOA_OK) {
            atomic_store_explicit(&process.loaded, &process.api, memory_order_release);
        }
    }
    pthread_mutex_unlock(&process.lock);
    *out = stoa_sql_duckdb_loaded();
    return status;
}
