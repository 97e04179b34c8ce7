/* Memory of the command itself (arguments, cells of a table on screen). The library charges what it
 * uses to pools; a command that cannot get a few bytes for a message can only say so and end. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static void *or_die(void *memory) {
    if (memory == NULL) {
        (void)fputs("stoa: out of memory\n", stderr);
        exit(STOA_EXIT_FAILED);
    }
    return memory;
}

void *stoa_cli_allocate(size_t size) {
    return or_die(calloc(1, size == 0 ? 1 : size));
}

void *stoa_cli_grow(void *memory, size_t size) {
    return or_die(realloc(memory, size == 0 ? 1 : size));
}

char *stoa_cli_copy(const char *text) {
    return or_die(strdup(text));
}

void stoa_cli_free(void *memory) {
    free(memory);
}
