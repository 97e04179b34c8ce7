/* Rows that the command makes itself, as an Arrow stream of one batch, so that every format shows
 * them like the rows of a query. Columns are 64-bit integers or strings. */
#include <errno.h>
#include <string.h>

#include "cli.h"

struct column {
    const char *name;
    char kind;
    int64_t length;
    int64_t null_count;
    size_t capacity;
    uint8_t *validity;
    int64_t *values;   /* 'i' */
    int64_t *offsets;  /* 't': large strings, so that no length needs a check */
    char *text;
    size_t text_size;
    size_t text_capacity;
    const void *buffers[3];
};

struct stoa_listing {
    int column_count;
    int next; /* the column that the next value goes to */
    bool batch_taken;
    struct column *columns;
    int references; /* the stream, its schema and its batch */
};

stoa_listing *stoa_listing_create(const char *const *names, const char *kinds) {
    stoa_listing *listing = stoa_cli_allocate(sizeof *listing);
    listing->column_count = (int)strlen(kinds);
    listing->columns = stoa_cli_allocate((size_t)listing->column_count * sizeof(struct column));
    listing->references = 1;
    for (int i = 0; i < listing->column_count; i++) {
        listing->columns[i].name = names[i];
        listing->columns[i].kind = kinds[i];
    }
    return listing;
}

static void listing_release(stoa_listing *listing) {
    if (--listing->references > 0) {
        return;
    }
    for (int i = 0; i < listing->column_count; i++) {
        struct column *column = &listing->columns[i];
        stoa_cli_free(column->validity);
        stoa_cli_free(column->values);
        stoa_cli_free(column->offsets);
        stoa_cli_free(column->text);
    }
    stoa_cli_free(listing->columns);
    stoa_cli_free(listing);
}

static struct column *next_column(stoa_listing *listing) {
    struct column *column = &listing->columns[listing->next];
    listing->next = (listing->next + 1) % listing->column_count;
    if ((size_t)column->length == column->capacity) {
        size_t capacity = column->capacity == 0 ? 64 : column->capacity * 2;
        column->validity = stoa_cli_grow(column->validity, capacity / 8);
        memset(column->validity + column->capacity / 8, 0, (capacity - column->capacity) / 8);
        if (column->kind == 'i') {
            column->values = stoa_cli_grow(column->values, capacity * sizeof(int64_t));
        } else {
            column->offsets = stoa_cli_grow(column->offsets, (capacity + 1) * sizeof(int64_t));
            column->offsets[0] = 0;
        }
        column->capacity = capacity;
    }
    return column;
}

static void mark_valid(struct column *column) {
    uint8_t *byte = &column->validity[column->length / 8];
    *byte = (uint8_t)(*byte | (1u << (column->length % 8)));
}

void stoa_listing_add_text(stoa_listing *listing, const char *value) {
    struct column *column = next_column(listing);
    size_t size = value == NULL ? 0 : strlen(value);
    if (column->text_capacity - column->text_size < size) {
        column->text_capacity = (column->text_size + size) * 2;
        column->text = stoa_cli_grow(column->text, column->text_capacity);
    }
    if (size > 0) {
        memcpy(column->text + column->text_size, value, size);
        column->text_size += size;
    }
    if (value == NULL) {
        column->null_count++;
    } else {
        mark_valid(column);
    }
    column->offsets[++column->length] = (int64_t)column->text_size;
}

void stoa_listing_add_i64(stoa_listing *listing, int64_t value) {
    struct column *column = next_column(listing);
    mark_valid(column);
    column->values[column->length++] = value;
}

void stoa_listing_add_unknown(stoa_listing *listing) {
    struct column *column = next_column(listing);
    column->null_count++;
    column->values[column->length++] = 0;
}

/* Children of a schema or a batch are released by their parent's release. */
static void child_schema_release(struct ArrowSchema *schema) {
    schema->release = NULL;
}

static void child_array_release(struct ArrowArray *array) {
    array->release = NULL;
}

struct schema_tree {
    stoa_listing *listing;
    struct ArrowSchema *pointers[16];
    struct ArrowSchema children[16];
};

struct array_tree {
    stoa_listing *listing;
    const void *no_buffer[1];
    struct ArrowArray *pointers[16];
    struct ArrowArray children[16];
};

static void schema_release(struct ArrowSchema *schema) {
    struct schema_tree *tree = schema->private_data;
    listing_release(tree->listing);
    stoa_cli_free(tree);
    schema->release = NULL;
}

static void array_release(struct ArrowArray *array) {
    struct array_tree *tree = array->private_data;
    listing_release(tree->listing);
    stoa_cli_free(tree);
    array->release = NULL;
}

static int listing_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
    stoa_listing *listing = stream->private_data;
    struct schema_tree *tree = stoa_cli_allocate(sizeof *tree);
    tree->listing = listing;
    listing->references++;
    for (int i = 0; i < listing->column_count; i++) {
        tree->children[i] =
            (struct ArrowSchema){.format = listing->columns[i].kind == 'i' ? "l" : "U",
                                 .name = listing->columns[i].name,
                                 .flags = ARROW_FLAG_NULLABLE,
                                 .release = child_schema_release};
        tree->pointers[i] = &tree->children[i];
    }
    *out = (struct ArrowSchema){.format = "+s",
                                .name = "",
                                .n_children = listing->column_count,
                                .children = tree->pointers,
                                .release = schema_release,
                                .private_data = tree};
    return 0;
}

static int listing_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
    stoa_listing *listing = stream->private_data;
    *out = (struct ArrowArray){0};
    if (listing->batch_taken || listing->columns[0].length == 0) {
        return 0;
    }
    listing->batch_taken = true;
    struct array_tree *tree = stoa_cli_allocate(sizeof *tree);
    tree->listing = listing;
    listing->references++;
    for (int i = 0; i < listing->column_count; i++) {
        struct column *column = &listing->columns[i];
        bool number = column->kind == 'i';
        column->buffers[0] = column->validity;
        column->buffers[1] = number ? (const void *)column->values : (const void *)column->offsets;
        column->buffers[2] = column->text == NULL ? "" : column->text;
        tree->children[i] = (struct ArrowArray){.length = column->length,
                                                .null_count = column->null_count,
                                                .n_buffers = number ? 2 : 3,
                                                .buffers = column->buffers,
                                                .release = child_array_release};
        tree->pointers[i] = &tree->children[i];
    }
    *out = (struct ArrowArray){.length = listing->columns[0].length,
                               .n_buffers = 1,
                               .n_children = listing->column_count,
                               .buffers = tree->no_buffer,
                               .children = tree->pointers,
                               .release = array_release,
                               .private_data = tree};
    return 0;
}

static const char *listing_error(struct ArrowArrayStream *stream) {
    (void)stream;
    return NULL;
}

static void stream_release(struct ArrowArrayStream *stream) {
    listing_release(stream->private_data);
    stream->release = NULL;
}

void stoa_listing_finish(stoa_listing *listing, struct ArrowArrayStream *out) {
    *out = (struct ArrowArrayStream){.get_schema = listing_schema,
                                     .get_next = listing_next,
                                     .get_last_error = listing_error,
                                     .release = stream_release,
                                     .private_data = listing};
}
