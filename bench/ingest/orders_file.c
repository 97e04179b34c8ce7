/* Writes the orders rows as an Arrow IPC file: bench_ingest_orders_file ROWS FILE */
#include <stdio.h>
#include <stdlib.h>

#include <stoa/stoa.h>

#include "orders.h"

int main(int count, char **words) {
    if (count != 3) {
        (void)fputs("usage: bench_ingest_orders_file ROWS FILE\n", stderr);
        return 2;
    }
    stoa_error err = STOA_ERROR_NONE;
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    stoa_database *database = NULL;
    struct ArrowArrayStream rows;
    int64_t written = 0;
    options.create = true;
    stoa_status status = stoa_database_open(":memory:", &options, &database, &err);
    if (status == STOA_OK) {
        orders_stream(atoll(words[1]), 1 << 20, &rows);
        status = stoa_export(database, &rows, STOA_FORMAT_ARROW_FILE, words[2], NULL, &written,
                             &err);
    }
    stoa_database_close(database);
    if (status != STOA_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    return 0;
}
