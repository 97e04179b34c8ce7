/* Definitions of state tables: what is read prints, and reads back as the same. */
#include <stdint.h>
#include <stdlib.h>

#include "lsm/table_options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
    if (!condition) {
        abort();
    }
}

static void check_definition(stoa_pool *pool, const stoa_definition *definition) {
    stoa_definition *again = NULL;
    stoa_buffer text, second;
    stoa_buffer_init(&text, pool);
    stoa_buffer_init(&second, pool);
    require(stoa_definition_print(definition, &text, NULL) == STOA_OK);
    require(stoa_definition_parse(pool, (const char *)text.data, &again, NULL) == STOA_OK);
    require(stoa_definition_print(again, &second, NULL) == STOA_OK);
    require(text.size == second.size && memcmp(text.data, second.data, text.size) == 0);
    stoa_definition_release(again);
    stoa_buffer_release(&text);
    stoa_buffer_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    stoa_pool *pool = NULL;
    stoa_definition *definition = NULL;
    char *text = NULL;
    stoa_error err = STOA_ERROR_NONE;
    require(stoa_pool_create(64 << 20, NULL, &pool, NULL) == STOA_OK);
    require(stoa_pool_copy_text(pool, (const char *)data, size, &text, NULL) == STOA_OK);
    if (stoa_definition_parse(pool, text, &definition, &err) == STOA_OK) {
        check_definition(pool, definition);
        stoa_definition_release(definition);
    } else {
        require(definition == NULL && err.message[0] != '\0');
    }
    stoa_pool_free(pool, text, size + 1);
    require(stoa_pool_used(pool) == 0);
    stoa_pool_close(pool);
    return 0;
}
