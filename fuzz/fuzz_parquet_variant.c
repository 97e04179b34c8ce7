/* Variants of any bytes at all: the first two say how long the metadata is, the value follows. What can
 * be taken apart is put together again, and then takes apart into the same. */
#include <stdlib.h>
#include <string.h>

#include "parquet/variant.h"

enum { DEPTH_MAX = 20, PARTS_MAX = 300 };

struct input {
    stoa_pool *pool;
    stoa_variant_metadata metadata;
    bool has_metadata;
    long budget; /* parts overlap: a few bytes can be many */
};

static void require(bool condition) {
    if (!condition) {
        abort();
    }
}

static void touch(const void *bytes, size_t size) {
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        sum = (uint8_t)(sum + ((const uint8_t *)bytes)[i]);
    }
}

static void walk(struct input *input, const uint8_t *bytes, size_t size, int depth);

/* Parts of a container, each visited; false where one is broken. */
static bool take_parts(struct input *input, const stoa_variant_container *container,
                       stoa_buffer *values, stoa_variant_part *parts, int depth) {
    for (uint32_t i = 0; i < container->count; i++) {
        const uint8_t *value;
        size_t size;
        if (stoa_variant_container_value(container, i, &value, &size, NULL) != STOA_OK) {
            return false;
        }
        walk(input, value, size, depth + 1);
        parts[i] = (stoa_variant_part){.offset = (uint32_t)values->size};
        require(stoa_buffer_append(values, value, size, NULL) == STOA_OK);
        if (container->ids != NULL) {
            uint32_t found;
            parts[i].id = stoa_variant_container_id(container, i);
            if (!input->has_metadata ||
                stoa_variant_metadata_name(&input->metadata, parts[i].id, &parts[i].name,
                                           &parts[i].name_size, NULL) != STOA_OK) {
                return false;
            }
            touch(parts[i].name, parts[i].name_size);
            if (stoa_variant_metadata_find(&input->metadata, parts[i].name, parts[i].name_size,
                                           &found, NULL) == STOA_OK) {
                require(found < input->metadata.count);
            }
        }
    }
    return true;
}

static void remake(const stoa_variant_container *container, stoa_buffer *values,
                   stoa_variant_part *parts) {
    const bool is_object = container->ids != NULL;
    stoa_variant_container again;
    size_t size;
    if (stoa_variant_wrap(values, 0, is_object, parts, container->count, NULL) != STOA_OK) {
        require(is_object); /* a name twice */
        return;
    }
    require(stoa_variant_value_size(values->data, values->size, &size, NULL) == STOA_OK);
    require(size == values->size && stoa_variant_is_object(values->data, size) == is_object);
    require(stoa_variant_container_parse(values->data, size, &again, NULL) == STOA_OK);
    require(again.count == container->count);
    for (uint32_t i = 0; i < again.count; i++) {
        const uint8_t *value;
        require(!is_object || stoa_variant_container_id(&again, i) == parts[i].id);
        require(stoa_variant_container_value(&again, i, &value, &size, NULL) == STOA_OK);
        require(value == again.values + parts[i].offset);
    }
}

static void walk(struct input *input, const uint8_t *bytes, size_t size, int depth) {
    stoa_variant_container container;
    stoa_variant_part parts[PARTS_MAX];
    stoa_buffer values;
    size_t taken;
    if (depth > DEPTH_MAX || input->budget-- <= 0 ||
        stoa_variant_value_size(bytes, size, &taken, NULL) != STOA_OK) {
        return;
    }
    require(taken > 0 && taken <= size);
    touch(bytes, taken);
    if (stoa_variant_container_parse(bytes, taken, &container, NULL) != STOA_OK ||
        container.count > PARTS_MAX) {
        return;
    }
    stoa_buffer_init(&values, input->pool);
    if (take_parts(input, &container, &values, parts, depth)) {
        remake(&container, &values, parts);
    }
    stoa_buffer_release(&values);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = {.budget = 2000};
    if (size < 2) {
        return 0;
    }
    const size_t wanted = (size_t)data[0] | (size_t)data[1] << 8, left = size - 2;
    const size_t metadata_size = wanted < left ? wanted : left, value_size = left - metadata_size;
    uint8_t *metadata = malloc(metadata_size + 1), *value = malloc(value_size + 1);
    require(metadata != NULL && value != NULL);
    require(stoa_pool_create((size_t)64 << 20, NULL, &input.pool, NULL) == STOA_OK);
    /* Each ends where its memory ends. */
    memcpy(metadata + 1, data + 2, metadata_size);
    memcpy(value + 1, data + 2 + metadata_size, value_size);
    input.has_metadata = stoa_variant_metadata_parse(metadata + 1, metadata_size, &input.metadata,
                                                     NULL) == STOA_OK;
    walk(&input, value + 1, value_size, 0);
    require(stoa_pool_used(input.pool) == 0);
    stoa_pool_close(input.pool);
    free(metadata);
    free(value);
    return 0;
}
