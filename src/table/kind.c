/* The list of kinds. A new kind is one line here and one file. */
#include "table/kind.h"

#include <string.h>

static const stoa_table_kind *const kinds[] = {&stoa_table_kind_memory, &stoa_table_kind_parquet,
                                              &stoa_table_kind_state};

const stoa_table_kind *stoa_table_kind_find(const char *name) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i]->name, name) == 0) {
            return kinds[i];
        }
    }
    return NULL;
}

const char *stoa_table_kind_names(void) {
    return "memory, parquet, state";
}
