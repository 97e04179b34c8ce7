/* Writing FlatBuffers front to back. References count forward, so whatever is referred to is
 * written after its referrer; each table is preceded by a vtable of its own. Metadata is small, so
 * equal vtables are not shared. */
#include "arrow/ipc_builder.h"

#include "base/bytes.h"
#include "base/checked.h"

enum { TABLE_HEADER_BYTES = 4, VTABLE_HEADER_BYTES = 4, VTABLE_BYTES_MAX = 64, WIDEST = 8 };

static stoa_status check_size(const stoa_buffer *out, size_t additional, stoa_error *err) {
    size_t size;
    if (!stoa_add_size(out->size, additional, &size) || size > INT32_MAX) {
        return stoa_fail(err, STOA_LIMIT, "the metadata of one message is more than 2 GiB");
    }
    return STOA_OK;
}

/* Zeros until the size is `remainder` modulo `unit`. */
static stoa_status pad(stoa_buffer *out, size_t unit, size_t remainder, stoa_error *err) {
    size_t missing = (remainder + unit - out->size % unit) % unit;
    return stoa_buffer_append_fill(out, 0, missing, err);
}

static void refer(stoa_buffer *out, uint32_t referrer, size_t target) {
    STOA_ASSERT(referrer + 4 <= out->size && target > referrer);
    stoa_store_u32(out->data + referrer, (uint32_t)target - referrer);
}

/* Places the widest fields first, so that each is aligned when the first one is. */
static uint16_t place_fields(const stoa_flat_slot *slots, uint32_t count, uint8_t *vtable) {
    uint16_t offset = TABLE_HEADER_BYTES;
    for (uint8_t width = WIDEST; width > 0; width = (uint8_t)(width / 2)) {
        for (uint32_t i = 0; i < count; i++) {
            if (slots[i].size == width) {
                memcpy(vtable + VTABLE_HEADER_BYTES + i * 2, &offset, sizeof offset);
                offset = (uint16_t)(offset + width);
            }
        }
    }
    return offset;
}

stoa_status stoa_flat_begin(stoa_buffer *out, stoa_error *err) {
    STOA_ASSERT(out->size == 0);
    return stoa_buffer_append_fill(out, 0, sizeof(uint32_t), err);
}

stoa_status stoa_flat_write_table(stoa_buffer *out, uint32_t referrer, stoa_flat_slot *slots,
                                  uint32_t count, stoa_error *err) {
    uint8_t vtable[VTABLE_BYTES_MAX] = {0};
    uint16_t vtable_size = (uint16_t)(VTABLE_HEADER_BYTES + count * 2);
    STOA_ASSERT(vtable_size <= VTABLE_BYTES_MAX);
    uint16_t size = place_fields(slots, count, vtable);
    memcpy(vtable, &vtable_size, sizeof vtable_size);
    memcpy(vtable + 2, &size, sizeof size);

    STOA_TRY(check_size(out, (size_t)vtable_size + size + 2 * WIDEST, err));
    STOA_TRY(pad(out, 2, 0, err));
    size_t vtable_position = out->size;
    STOA_TRY(stoa_buffer_append(out, vtable, vtable_size, err));
    /* The first field stands 4 bytes behind the table's start, and at a multiple of 8. */
    STOA_TRY(pad(out, WIDEST, WIDEST - TABLE_HEADER_BYTES, err));
    size_t position = out->size;
    STOA_TRY(stoa_buffer_append_fill(out, 0, size, err));
    stoa_store_u32(out->data + position, (uint32_t)(position - vtable_position));
    for (uint32_t i = 0; i < count; i++) {
        if (slots[i].size > 0) {
            uint16_t offset;
            memcpy(&offset, vtable + VTABLE_HEADER_BYTES + i * 2, sizeof offset);
            slots[i].position = (uint32_t)(position + offset);
            memcpy(out->data + slots[i].position, &slots[i].value, slots[i].size);
        }
    }
    refer(out, referrer, position);
    return STOA_OK;
}

stoa_status stoa_flat_write_vector(stoa_buffer *out, uint32_t referrer, const void *bytes,
                                   size_t count, size_t size, uint32_t *out_first,
                                   stoa_error *err) {
    size_t total;
    if (!stoa_mul_size(count, size, &total)) {
        return stoa_fail(err, STOA_LIMIT, "the metadata of one message is more than 2 GiB");
    }
    STOA_TRY(check_size(out, total + 2 * WIDEST, err));
    STOA_TRY(pad(out, WIDEST, size % WIDEST == 0 ? WIDEST - sizeof(uint32_t) : 0, err));
    size_t position = out->size;
    uint32_t count_field = (uint32_t)count;
    STOA_TRY(stoa_buffer_append(out, &count_field, sizeof count_field, err));
    if (bytes == NULL) {
        STOA_TRY(stoa_buffer_append_fill(out, 0, total, err));
    } else {
        STOA_TRY(stoa_buffer_append(out, bytes, total, err));
    }
    refer(out, referrer, position);
    if (out_first != NULL) {
        *out_first = (uint32_t)(position + sizeof(uint32_t));
    }
    return STOA_OK;
}

stoa_status stoa_flat_write_string(stoa_buffer *out, uint32_t referrer, const char *text,
                                   size_t size, stoa_error *err) {
    STOA_TRY(stoa_flat_write_vector(out, referrer, text, size, 1, NULL, err));
    return stoa_buffer_append_byte(out, 0, err);
}
