/* See predicate_provider.h. */
#include "sql/predicate_provider.h"

#include <string.h>

const struct predicate_provider *stoa_sql_predicate_provider(const struct duckdb_api *api) {
    static const struct predicate_provider *const providers[] = {&stoa_sql_predicate_provider_v1_5};
    const char *version = api->library_version();
    for (size_t i = 0; i < sizeof providers / sizeof *providers; i++) {
        const char *prefix = providers[i]->version_prefix;
        if (strncmp(version, prefix, strlen(prefix)) == 0) {
            return providers[i];
        }
    }
    return NULL;
}
