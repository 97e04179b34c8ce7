/* Rows as a table that looks good in a terminal:
 *
 *      origin   flights   delay
 *      string      long  double
 *     ──────────────────────────
 *      ATL      170,493     9.1
 *
 * Only the first and the last rows of a long result are kept, so a stream of any length is shown in
 * bounded memory. Columns that do not fit the width are cut, widest first; when even narrow columns
 * do not fit, those in the middle are left out and counted. */
#include <string.h>

#include "cli.h"

enum { CELL_BYTES_MAX = 4096, COLUMN_WIDTH_MIN = 8, ROWS_ALL = 1 << 30 };

struct cell {
    char *text;
    int width;
    bool is_null;
};

struct column {
    struct cell name;
    struct cell type;
    bool right;
    bool hidden;
    int width;
};

struct view {
    int column_count;
    struct column *columns;
    struct cell **rows; /* head rows, then a ring of tail rows */
    int64_t row_capacity;
    int64_t head_max;
    int64_t tail_max;
    int64_t row_count; /* of the stream so far */
    stoa_text *text; /* of one value at a time */
    bool markdown;
    bool color;
    bool unicode;
};

/* Control characters would move the cursor: they are shown as escapes. */
static struct cell make_cell(const char *text, size_t size, bool is_null) {
    static const char digits[] = "0123456789abcdef";
    char *copy = stoa_cli_allocate(size * 4 + 1);
    size_t length = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte == '\n' || byte == '\t' || byte == '\r') {
            copy[length++] = '\\';
            copy[length++] = byte == '\n' ? 'n' : byte == '\t' ? 't' : 'r';
        } else if (byte < 0x20 || byte == 0x7F) {
            copy[length++] = '\\';
            copy[length++] = 'x';
            copy[length++] = digits[byte >> 4];
            copy[length++] = digits[byte & 15];
        } else {
            copy[length++] = (char)byte;
        }
    }
    return (struct cell){copy, stoa_text_width(copy, length), is_null};
}

static void cell_free(struct cell *cell) {
    stoa_cli_free(cell->text);
    *cell = (struct cell){0};
}

static void row_free(const struct view *view, struct cell *row) {
    for (int i = 0; row != NULL && i < view->column_count; i++) {
        cell_free(&row[i]);
    }
    stoa_cli_free(row);
}

static void view_free(struct view *view) {
    for (int64_t i = 0; i < view->row_capacity; i++) {
        row_free(view, view->rows[i]);
    }
    stoa_cli_free(view->rows);
    for (int i = 0; i < view->column_count; i++) {
        cell_free(&view->columns[i].name);
        cell_free(&view->columns[i].type);
    }
    stoa_cli_free(view->columns);
}

/* The column's type in Stoa's own words; in Arrow's where there is no twin. */
static void column_type(const struct ArrowSchema *field, stoa_pool *pool, stoa_text *text, char *out,
                        size_t capacity, bool *right) {
    struct ArrowSchema column = *field;
    struct ArrowSchema *children[1] = {&column};
    struct ArrowSchema root = {.format = "+s", .name = "", .n_children = 1, .children = children};
    const stoa_schema *schema = NULL;
    column.name = "column"; /* a result may have columns without names */
    if (stoa_schema_from_arrow(pool, &root, &schema, NULL) == STOA_OK) {
        const stoa_type *type = &schema->root.children[0].type;
        (void)stoa_type_print(type, out, capacity);
        *right = type->kind >= STOA_TYPE_INT8 && type->kind <= STOA_TYPE_DECIMAL;
        stoa_schema_close(schema);
    } else {
        bool printed = stoa_text_arrow_type(text, field, NULL) == STOA_OK;
        (void)snprintf(out, capacity, "%s", printed ? stoa_text_view(text, NULL) : field->format);
    }
}

static void add_columns(struct view *view, const struct ArrowSchema *schema, stoa_pool *pool) {
    view->column_count = (int)schema->n_children;
    view->columns = stoa_cli_allocate((size_t)view->column_count * sizeof(struct column));
    for (int i = 0; i < view->column_count; i++) {
        const struct ArrowSchema *field = schema->children[i];
        struct column *column = &view->columns[i];
        const char *name = field->name == NULL ? "" : field->name;
        char type[256] = "";
        column_type(field, pool, view->text, type, sizeof type, &column->right);
        column->name = make_cell(name, strlen(name), false);
        column->type = make_cell(type, strlen(type), false);
        column->width = column->name.width;
        if (!view->markdown && column->type.width > column->width) {
            column->width = column->type.width;
        }
    }
}

/* Where row `index` of the stream is kept: a place of its own in the head, a ring after it. */
static int64_t row_place(const struct view *view, int64_t index) {
    return index < view->head_max ? index
                                  : view->head_max + (index - view->head_max) % view->tail_max;
}

static stoa_status add_row(struct view *view, const struct ArrowSchema *schema,
                           const struct ArrowArray *batch, int64_t row, stoa_error *err) {
    int64_t place = row_place(view, view->row_count);
    if (place >= view->row_capacity) {
        int64_t capacity = view->row_capacity == 0 ? 64 : view->row_capacity;
        while (capacity <= place) {
            capacity *= 2;
        }
        view->rows = stoa_cli_grow(view->rows, (size_t)capacity * sizeof(struct cell *));
        memset(view->rows + view->row_capacity, 0,
               (size_t)(capacity - view->row_capacity) * sizeof(struct cell *));
        view->row_capacity = capacity;
    }
    row_free(view, view->rows[place]);
    view->rows[place] = NULL;
    struct cell *cells =
        stoa_cli_allocate((size_t)(view->column_count + 1) * sizeof(struct cell));
    view->rows[place] = cells;
    view->row_count++;
    for (int i = 0; i < view->column_count; i++) {
        stoa_status status = stoa_text_value(view->text, schema->children[i], batch->children[i],
                                             row, STOA_TEXT_PLAIN, err);
        if (status != STOA_OK) {
            return status;
        }
        size_t size = 0;
        const char *text = stoa_text_view(view->text, &size);
        if (!view->markdown && size > CELL_BYTES_MAX) {
            size = stoa_text_prefix(text, size, CELL_BYTES_MAX / 4); /* no screen is wider */
        }
        cells[i] = make_cell(text, size,
                             stoa_value_is_null(schema->children[i], batch->children[i], row));
    }
    return STOA_OK;
}

static stoa_status add_batch(struct view *view, const struct ArrowSchema *schema,
                             const struct ArrowArray *batch, stoa_error *err) {
    for (int64_t row = 0; row < batch->length; row++) {
        /* Rows that the ring would overwrite within this batch are counted, not printed. */
        if (view->row_count >= view->head_max && batch->length - row > view->tail_max) {
            view->row_count++;
            continue;
        }
        stoa_status status = add_row(view, schema, batch, row, err);
        if (status != STOA_OK) {
            return status;
        }
    }
    return STOA_OK;
}

static int64_t shown_count(const struct view *view) {
    int64_t most = view->head_max + view->tail_max;
    return view->row_count < most ? view->row_count : most;
}

/* Row i of those shown: the head first, then the newest of the ring. */
static const struct cell *shown_row(const struct view *view, int64_t i) {
    int64_t index = i < view->head_max ? i : view->row_count - (shown_count(view) - i);
    return view->rows[row_place(view, index)];
}

static int total_width(const struct view *view) {
    int total = 0;
    bool any_hidden = false;
    for (int i = 0; i < view->column_count; i++) {
        total += view->columns[i].hidden ? 0 : view->columns[i].width + 2;
        any_hidden |= view->columns[i].hidden;
    }
    return total + (any_hidden ? 3 : 0);
}

static void fit_columns(struct view *view, int width) {
    for (int64_t i = 0; i < shown_count(view); i++) {
        const struct cell *row = shown_row(view, i);
        for (int c = 0; c < view->column_count; c++) {
            if (row[c].width > view->columns[c].width) {
                view->columns[c].width = row[c].width;
            }
        }
    }
    if (width <= 0) {
        return;
    }
    for (int over = total_width(view) - width; over > 0; over = total_width(view) - width) {
        struct column *widest = &view->columns[0];
        for (int c = 1; c < view->column_count; c++) {
            widest = view->columns[c].width > widest->width ? &view->columns[c] : widest;
        }
        if (widest->width <= COLUMN_WIDTH_MIN) {
            break;
        }
        widest->width--;
    }
    /* From the middle to both sides; the first and the last column stay. */
    int middle = view->column_count / 2;
    for (int step = 0; step < view->column_count && total_width(view) > width; step++) {
        int c = step % 2 == 0 ? middle + step / 2 : middle - (step + 1) / 2;
        if (c > 0 && c < view->column_count - 1) {
            view->columns[c].hidden = true;
        }
    }
}

static void put_spaces(FILE *out, int count) {
    (void)fprintf(out, "%*s", count > 0 ? count : 0, "");
}

static void put_cell(FILE *out, const struct view *view, const struct cell *cell, int width,
                     bool right, const char *color) {
    size_t size = strlen(cell->text);
    size_t shown = size;
    int text_width = cell->width;
    const char *ellipsis = "";
    if (cell->width > width) {
        ellipsis = view->unicode ? "…" : "~";
        shown = stoa_text_prefix(cell->text, size, width - 1);
        text_width = stoa_text_width(cell->text, shown) + 1;
    }
    put_spaces(out, right ? width - text_width : 0);
    if (view->color && color != NULL) {
        (void)fprintf(out, "%s%.*s%s\033[0m", color, (int)shown, cell->text, ellipsis);
    } else {
        (void)fprintf(out, "%.*s%s", (int)shown, cell->text, ellipsis);
    }
    put_spaces(out, right ? 0 : width - text_width);
}

static void put_line(FILE *out, const struct view *view, const struct cell *row, int kind) {
    static const char *const colors[] = {"\033[1m", "\033[2m", NULL};
    bool gap = false;
    for (int c = 0; c < view->column_count; c++) {
        const struct column *column = &view->columns[c];
        const struct cell *cell = kind == 0   ? &column->name
                                  : kind == 1 ? &column->type
                                              : &row[c];
        if (column->hidden) {
            (void)fputs(gap ? "" : view->unicode ? " … " : " ..", out);
            gap = true;
            continue;
        }
        (void)fputc(' ', out);
        put_cell(out, view, cell, column->width, column->right,
                 cell->is_null ? "\033[2m" : colors[kind]);
        (void)fputc(' ', out);
    }
    (void)fputc('\n', out);
}

static void put_rule(FILE *out, const struct view *view) {
    for (int i = 0; i < total_width(view); i++) {
        (void)fputs(view->unicode ? "─" : "-", out);
    }
    (void)fputc('\n', out);
}

static void put_markdown_row(FILE *out, const struct view *view, const struct cell *row) {
    (void)fputc('|', out);
    for (int c = 0; c < view->column_count; c++) {
        const struct cell *cell = row == NULL ? &view->columns[c].name : &row[c];
        (void)fputc(' ', out);
        put_spaces(out, view->columns[c].right ? view->columns[c].width - cell->width : 0);
        for (const char *at = cell->text; *at != '\0'; at++) {
            (void)fputs(*at == '|' ? "\\" : "", out);
            (void)fputc(*at, out);
        }
        put_spaces(out, view->columns[c].right ? 0 : view->columns[c].width - cell->width);
        (void)fputs(" |", out);
    }
    (void)fputc('\n', out);
}

static void put_markdown(FILE *out, const struct view *view) {
    put_markdown_row(out, view, NULL);
    (void)fputc('|', out);
    for (int c = 0; c < view->column_count; c++) {
        const struct column *column = &view->columns[c];
        (void)fputs(column->right ? " " : " :", out);
        for (int i = 1; i < (column->width < 3 ? 3 : column->width); i++) {
            (void)fputc('-', out);
        }
        (void)fputs(column->right ? ": |" : " |", out);
    }
    (void)fputc('\n', out);
    for (int64_t i = 0; i < shown_count(view); i++) {
        put_markdown_row(out, view, shown_row(view, i));
    }
}

static void put_footer(FILE *out, const struct view *view) {
    char count[32];
    char shown[32];
    int hidden = 0;
    for (int c = 0; c < view->column_count; c++) {
        hidden += view->columns[c].hidden;
    }
    (void)fprintf(out, " %s row%s", stoa_count_text(view->row_count, count),
                  view->row_count == 1 ? "" : "s");
    if (shown_count(view) < view->row_count) {
        (void)fprintf(out, " (%s shown)", stoa_count_text(shown_count(view), shown));
    }
    if (hidden > 0) {
        (void)fprintf(out, ", %d columns (%d shown)", view->column_count,
                      view->column_count - hidden);
    }
    (void)fputc('\n', out);
}

static void put_table(FILE *out, const struct view *view) {
    put_line(out, view, NULL, 0);
    put_line(out, view, NULL, 1);
    put_rule(out, view);
    for (int64_t i = 0; i < shown_count(view); i++) {
        if (i == view->head_max && shown_count(view) < view->row_count) {
            (void)fputs(view->unicode ? "  ⋮\n" : "  ...\n", out);
        }
        put_line(out, view, shown_row(view, i), 2);
    }
    put_rule(out, view);
    put_footer(out, view);
}

stoa_status stoa_table_view(FILE *out, struct ArrowArrayStream *rows, int64_t rows_max, int width,
                            bool markdown, const stoa_context *context, int64_t *out_rows,
                            stoa_error *err) {
    struct ArrowSchema schema = {0};
    struct view view = {.markdown = markdown,
                        .color = !markdown && stoa_terminal_color(out),
                        .unicode = stoa_terminal_unicode()};
    view.head_max = rows_max <= 0 ? ROWS_ALL : (rows_max + 1) / 2;
    view.tail_max = rows_max <= 1 ? 1 : rows_max / 2;
    stoa_status status = stoa_text_create(context->pool, &view.text, err);
    if (status == STOA_OK) {
        status = stoa_stream_schema(rows, &schema, err);
    }
    if (status == STOA_OK) {
        add_columns(&view, &schema, context->pool);
    }
    while (status == STOA_OK) {
        struct ArrowArray batch = {0};
        status = stoa_stream_next(rows, &batch, err);
        if (status != STOA_OK || batch.release == NULL) {
            break;
        }
        status = add_batch(&view, &schema, &batch, err);
        stoa_arrow_array_release(&batch);
        if (status == STOA_OK) {
            status = stoa_cancel_check(context->cancel, err);
        }
    }
    if (status == STOA_OK && view.column_count > 0) {
        fit_columns(&view, markdown ? 0 : width);
        if (markdown) {
            put_markdown(out, &view);
        } else {
            put_table(out, &view);
        }
    }
    *out_rows = view.row_count;
    view_free(&view);
    stoa_text_close(view.text);
    stoa_arrow_schema_release(&schema);
    return status;
}
