/* Which rows of a stripe make a leaf of a predicate true. */
#include "base/bits.h"
#include "lsm/segment_select.h"
#include "lsm/stripe_read.h"
#include "schema/select_kernel.h"

/* Bits of the rows that are there; NULL where all are. `scratch` has room for a stripe's rows. */
static stoa_status read_validity(const stoa_stripe *stripe, const stoa_stripe_node *node,
                                 uint8_t *scratch, const uint8_t **out, stoa_error *err) {
    const stoa_segment *bits;
    *out = NULL;
    if (node->validity_segment < 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_stripe_segment(stripe, node->validity_segment, stripe->row_count, &bits, err));
    if (bits->kind != STOA_SEGMENT_CONSTANT) {
        *out = bits->values;
    } else if (bits->values[0] == 0) {
        memset(scratch, 0, stoa_bitmap_bytes(stripe->row_count));
        *out = scratch;
    }
    return STOA_OK;
}

static bool is_comparison(stoa_predicate_kind kind) {
    return kind >= STOA_PREDICATE_EQUAL && kind <= STOA_PREDICATE_STARTS_WITH &&
           kind != STOA_PREDICATE_IS_NULL && kind != STOA_PREDICATE_IS_NOT_NULL;
}

static void fill(const stoa_stripe *stripe, bool value, uint8_t *bitmap) {
    memset(bitmap, 0, stoa_bitmap_bytes(stripe->row_count));
    if (value) {
        stoa_bits_not(bitmap, stripe->row_count);
    }
}

static stoa_status select_leaf(const stoa_stripe *stripe, stoa_pool *pool, const stoa_field *field,
                               const stoa_stripe_node *node, const stoa_predicate *leaf,
                               uint8_t *bitmap, stoa_error *err) {
    const size_t bytes = stoa_bitmap_bytes(stripe->row_count);
    uint8_t scratch[STOA_STRIPE_ROWS / 8];
    const uint8_t *validity;
    const stoa_segment *segment;
    STOA_TRY(read_validity(stripe, node, scratch, &validity, err));
    if (is_comparison(leaf->kind)) {
        STOA_TRY(
            stoa_stripe_segment(stripe, node->value_segment, stripe->row_count, &segment, err));
        STOA_TRY(stoa_segment_select(segment, field, leaf, pool, bitmap, err));
        if (validity != NULL) {
            stoa_bits_and(bitmap, validity, bytes);
        }
        return STOA_OK;
    }
    if (validity != NULL) {
        memcpy(bitmap, validity, bytes);
    } else {
        fill(stripe, true, bitmap);
    }
    if (leaf->kind == STOA_PREDICATE_IS_NULL) {
        stoa_bits_not(bitmap, stripe->row_count);
    }
    return STOA_OK;
}

/* A leaf that has to do with the column as it lies. */
static bool applies(const stoa_field *field, const stoa_stripe_node *node,
                    const stoa_predicate *leaf) {
    if (leaf->kind == STOA_PREDICATE_IS_NULL || leaf->kind == STOA_PREDICATE_IS_NOT_NULL) {
        return true;
    }
    return is_comparison(leaf->kind) && field->type.kind < STOA_TYPE_LIST &&
           (node == NULL || !stoa_stripe_type_changed(node->type, &field->type));
}

stoa_status stoa_stripe_select(const stoa_stripe *stripe, stoa_pool *pool, int32_t column,
                               const stoa_predicate *leaf, uint8_t *bitmap, bool *out_applied,
                               stoa_error *err) {
    const stoa_stripe_layout *layout = stoa_stripe_table(stripe);
    const stoa_field *field = &layout->schema->root.children[column];
    const int32_t index = layout->column_nodes[column];
    *out_applied = false;
    if (index < 0 || leaf->field_id != field->id || field->type.kind == STOA_TYPE_UNKNOWN) {
        return STOA_OK;
    }
    const stoa_stripe_node *node = stoa_stripe_source(stripe, index);
    if (!applies(field, node, leaf)) {
        return STOA_OK;
    }
    if (node == NULL) {
        fill(stripe, leaf->kind == STOA_PREDICATE_IS_NULL, bitmap);
        *out_applied = true;
        return STOA_OK;
    }
    const stoa_status status = select_leaf(stripe, pool, field, node, leaf, bitmap, err);
    *out_applied = status == STOA_OK;
    if (status != STOA_OK) {
        stoa_wrap(err, "column '%s'", field->name);
        stoa_error_set_column(err, column, field->name);
    }
    return status;
}
