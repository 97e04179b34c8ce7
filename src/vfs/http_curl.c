/* Opens libcurl with dlopen and fills the table of its functions.
 *
 * The table is written once, under a lock, and constant from then on. RTLD_LOCAL keeps the names of
 * the library and of its TLS library to themselves. It is never closed: it has threads and handlers
 * at exit that outlive any moment we could choose. */
#include "vfs/http_curl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/error.h"

#define LIBRARY_NAME "libcurl.so.4"
enum { VERSION_MIN = 0x075700 }; /* 7.87: a request can be given up while a name is looked up */

static struct {
    pthread_mutex_t lock;
    struct stoa_curl table;
    _Atomic(const struct stoa_curl *) loaded; /* released after `table` was written */
} process = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* A data pointer of dlsym becomes a function pointer through memory, as POSIX has it. */
static stoa_status resolve(void *library, const char *name, void *slot, stoa_error *err) {
    void *symbol = dlsym(library, name);
    if (symbol == NULL) {
        return stoa_fail(err, STOA_UNSUPPORTED, LIBRARY_NAME " lacks the function %s", name);
    }
    memcpy(slot, &symbol, sizeof symbol);
    return STOA_OK;
}

static stoa_status fill(void *library, struct stoa_curl *table, stoa_error *err) {
#define RESOLVE(name) STOA_TRY(resolve(library, #name, &table->name, err));
    HTTP_CURL_FUNCTIONS(RESOLVE)
#undef RESOLVE
    const curl_version_info_data *version = table->curl_version_info(CURLVERSION_NOW);
    if (version->version_num < VERSION_MIN) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         LIBRARY_NAME " is version %s: expected 7.87 or later", version->version);
    }
    CURLcode code = table->curl_global_init(CURL_GLOBAL_DEFAULT);
    if (code != CURLE_OK) {
        return stoa_fail(err, code == CURLE_OUT_OF_MEMORY ? STOA_NO_MEMORY : STOA_IO,
                         LIBRARY_NAME " does not start: %s", table->curl_easy_strerror(code));
    }
    return STOA_OK;
}

static stoa_status open_library(stoa_error *err) {
    void *library = dlopen(LIBRARY_NAME, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == NULL) {
        const char *reason = dlerror();
        return stoa_fail(err, STOA_NOT_FOUND,
                         "http needs libcurl, and " LIBRARY_NAME " (Debian: package libcurl4) does "
                         "not load: %s",
                         reason != NULL ? reason : "no reason given");
    }
    stoa_status status = fill(library, &process.table, err);
    if (status == STOA_OK) {
        atomic_store_explicit(&process.loaded, &process.table, memory_order_release);
    } else {
        (void)dlclose(library);
    }
    return status;
}

stoa_status stoa_curl_load(const struct stoa_curl **out, stoa_error *err) {
    stoa_status status = STOA_OK;
    *out = atomic_load_explicit(&process.loaded, memory_order_acquire);
    if (*out != NULL) {
        return STOA_OK;
    }
    pthread_mutex_lock(&process.lock);
    if (atomic_load_explicit(&process.loaded, memory_order_relaxed) == NULL) {
        status = open_library(err);
    }
    pthread_mutex_unlock(&process.lock);
    *out = atomic_load_explicit(&process.loaded, memory_order_acquire);
    return status;
}
