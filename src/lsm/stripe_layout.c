#include "lsm/stripe.h"

/* Fields at any depth, without those of the key: how many nodes there are. As deep as a schema is. */
static int32_t count_nodes(const stoa_type *type) {
    int32_t count = 1;
    for (int32_t i = 0; i < type->child_count; i++) {
        count += count_nodes(&type->children[i].type);
    }
    return count;
}

stoa_segment_type stoa_stripe_type(const stoa_type *type) {
    switch (type->kind) {
    case STOA_TYPE_BOOLEAN: return (stoa_segment_type){STOA_SEGMENT_BITS, 0};
    case STOA_TYPE_INT8: return (stoa_segment_type){STOA_SEGMENT_SIGNED, 1};
    case STOA_TYPE_INT16: return (stoa_segment_type){STOA_SEGMENT_SIGNED, 2};
    case STOA_TYPE_INT:
    case STOA_TYPE_DATE: return (stoa_segment_type){STOA_SEGMENT_SIGNED, 4};
    case STOA_TYPE_UINT8: return (stoa_segment_type){STOA_SEGMENT_UNSIGNED, 1};
    case STOA_TYPE_UINT16: return (stoa_segment_type){STOA_SEGMENT_UNSIGNED, 2};
    case STOA_TYPE_UINT32:
    case STOA_TYPE_FLOAT: return (stoa_segment_type){STOA_SEGMENT_UNSIGNED, 4};
    case STOA_TYPE_UINT64: return (stoa_segment_type){STOA_SEGMENT_UNSIGNED, 8};
    case STOA_TYPE_DOUBLE: return (stoa_segment_type){STOA_SEGMENT_DOUBLES, 8};
    case STOA_TYPE_DECIMAL: return (stoa_segment_type){STOA_SEGMENT_SIGNED, 16};
    case STOA_TYPE_TIME:
        return (stoa_segment_type){STOA_SEGMENT_SIGNED,
                                   type->unit == STOA_TYPE_MILLISECONDS ? 4 : 8};
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY: return (stoa_segment_type){STOA_SEGMENT_TEXTS, 0};
    case STOA_TYPE_FIXED: return (stoa_segment_type){STOA_SEGMENT_FIXED, type->length};
    case STOA_TYPE_UUID:
    case STOA_TYPE_INTERVAL: return (stoa_segment_type){STOA_SEGMENT_FIXED, 16};
    case STOA_TYPE_LIST:
    case STOA_TYPE_MAP: return (stoa_segment_type){STOA_SEGMENT_OFFSETS, 4};
    case STOA_TYPE_LONG:
    case STOA_TYPE_TIMESTAMP:
    case STOA_TYPE_TIMESTAMP_TZ:
    case STOA_TYPE_DURATION:
    case STOA_TYPE_UNKNOWN:
    case STOA_TYPE_STRUCT: break;
    }
    return (stoa_segment_type){STOA_SEGMENT_SIGNED, 8};
}

/* A map's entries are a struct in Arrow but not in the schema: its key and value are the children of
 * its node. */
static void add_node(stoa_stripe_layout *layout, const stoa_field *field) {
    const int32_t index = layout->node_count++;
    const stoa_type_kind kind = field->type.kind;
    const bool has_values = kind != STOA_TYPE_STRUCT && kind != STOA_TYPE_UNKNOWN;
    stoa_stripe_node *node = &layout->nodes[index];
    *node = (stoa_stripe_node){.type = &field->type,
                               .values = stoa_stripe_type(&field->type),
                               .validity_segment = -1,
                               .value_segment = -1};
    if (!field->required && kind != STOA_TYPE_UNKNOWN) {
        node->validity_segment = layout->segment_count++;
    }
    if (has_values) {
        node->value_segment = layout->segment_count++;
    }
    for (int32_t i = 0; i < field->type.child_count; i++) {
        add_node(layout, &field->type.children[i]);
    }
    layout->nodes[index].subtree = layout->node_count - index;
}

static bool is_key_column(const stoa_key_format *key, int32_t column) {
    for (int32_t i = 0; i < key->part_count; i++) {
        if (key->parts[i].column == column) {
            return true;
        }
    }
    return false;
}

/* Rows of required columns of fixed width take the same, whatever they hold. */
static size_t fixed_row_bytes(const stoa_type *root) {
    size_t bytes = 0;
    for (int32_t i = 0; i < root->child_count; i++) {
        const stoa_field *field = &root->children[i];
        const size_t width = (size_t)stoa_stripe_type(&field->type).value_bytes;
        if (!field->required || width == 0 || field->type.child_count > 0 ||
            field->type.kind == STOA_TYPE_STRUCT || field->type.kind == STOA_TYPE_UNKNOWN) {
            return 0;
        }
        bytes += width;
    }
    return bytes;
}

stoa_status stoa_stripe_layout_init(stoa_stripe_layout *layout, stoa_arena *arena,
                                    const stoa_schema *schema, const stoa_key_format *key,
                                    stoa_error *err) {
    const stoa_type *root = &schema->root;
    void *nodes = NULL, *columns = NULL;
    *layout = (stoa_stripe_layout){.schema = schema,
                                   .key = key,
                                   .segment_count = STOA_STRIPE_FIRST_VALUE,
                                   .row_bytes = fixed_row_bytes(root)};
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)count_nodes(root), sizeof *layout->nodes,
                                       &nodes, err));
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)root->child_count,
                                       sizeof *layout->column_nodes, &columns, err));
    layout->nodes = nodes;
    layout->column_nodes = columns;
    for (int32_t i = 0; i < root->child_count; i++) {
        layout->column_nodes[i] = -1;
        if (!is_key_column(key, i)) {
            layout->column_nodes[i] = layout->node_count;
            add_node(layout, &root->children[i]);
        }
    }
    return STOA_OK;
}

stoa_segment_type stoa_stripe_segment_type(const stoa_stripe_layout *layout, int32_t segment) {
    if (segment == STOA_STRIPE_KEYS) {
        return layout->key->is_number ? (stoa_segment_type){STOA_SEGMENT_UNSIGNED, 8}
                                      : (stoa_segment_type){STOA_SEGMENT_TEXTS, 0};
    }
    if (segment < STOA_STRIPE_FIRST_VALUE) {
        return (stoa_segment_type){STOA_SEGMENT_UNSIGNED, segment == STOA_STRIPE_SEQUENCES ? 8 : 1};
    }
    for (int32_t i = 0; i < layout->node_count; i++) {
        if (layout->nodes[i].value_segment == segment) {
            return layout->nodes[i].values;
        }
    }
    return (stoa_segment_type){STOA_SEGMENT_BITS, 0};
}
