/* The orders rows that many benchmarks use: ten columns, 62 bytes a row, always the same rows for
 * the same count. A million customers whose orders follow a square law, 5,000 products with a price
 * each, five states, four ways to pay, times that only grow, and a hash of the customer. */
#ifndef STOA_BENCH_ORDERS_H
#define STOA_BENCH_ORDERS_H

#include <stoa/arrow.h>

/// A stream of `row_count` orders in batches of `batch_rows`. Ends the process without memory.
void orders_stream(int64_t row_count, int64_t batch_rows, struct ArrowArrayStream *out);

#endif
