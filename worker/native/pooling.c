/* RoIAlign (He et al., 2017): what a map shows in each box, read between its cells. */

#include "kernels.h"

enum { MOST_CHANNELS = 64, MOST_CELLS = 64 };

/* Where between two of `side` cells a place lies: the first, the second, and how far from the first.
   Returns whether it lies on the map, or no more than a cell beside it. */
static int between(float place, int64_t side, int64_t *low, int64_t *high, float *share) {
    if (place < -1 || place > (float)side)
        return 0;
    const float at = larger(place, 0);
    *low = within((int64_t)at, 0, side - 1);
    *high = within(*low + 1, 0, side - 1);
    *share = *low == side - 1 ? 0 : at - (float)*low;
    return 1;
}

/* Add to `sums` (channels) what a map shows at a place. */
static void add(const float *map, int64_t rows, int64_t columns, int64_t channels, float y, float x,
                float *sums) {
    int64_t top, bottom, left, right;
    float down, across;
    if (!between(y, rows, &top, &bottom, &down) || !between(x, columns, &left, &right, &across))
        return;
    const float *a = map + (top * columns + left) * channels;
    const float *b = map + (top * columns + right) * channels;
    const float *c = map + (bottom * columns + left) * channels;
    const float *d = map + (bottom * columns + right) * channels;
    const float of_a = (1 - down) * (1 - across), of_b = (1 - down) * across;
    const float of_c = down * (1 - across), of_d = down * across;
    for (int64_t n = 0; n < channels; n++)
        sums[n] += of_a * a[n] + of_b * b[n] + of_c * c[n] + of_d * d[n];
}

/* Pool boxes (count, 4), in cells of a map (rows, columns, channels): `pooled` (count, channels,
   grid, grid). Each cell of the grid is the mean of 2 x 2 places. At most 64 channels, 8 x 8 cells. */
EXPORT void needle_pooled(const float *map, int64_t rows, int64_t columns, int64_t channels,
                          const float *boxes, int64_t count, int64_t grid, float *pooled) {
    for (int64_t box = 0; box < count; box++) {
        const float *corners = boxes + 4 * box;
        const float left = corners[0] - 0.5f, top = corners[1] - 0.5f;
        const float wide = (corners[2] - corners[0]) / (float)grid;
        const float high = (corners[3] - corners[1]) / (float)grid;
        float sums[MOST_CELLS][MOST_CHANNELS];
        for (int64_t cell = 0; cell < grid * grid; cell++) {
            const float y = top + high * (float)(cell / grid), x = left + wide * (float)(cell % grid);
            for (int64_t n = 0; n < channels; n++)
                sums[cell][n] = 0;
            for (int place = 0; place < 4; place++)
                add(map, rows, columns, channels, y + high * (0.25f + 0.5f * (float)(place / 2)),
                    x + wide * (0.25f + 0.5f * (float)(place % 2)), sums[cell]);
        }
        float *own = pooled + box * channels * grid * grid;
        for (int64_t n = 0; n < channels; n++)
            for (int64_t cell = 0; cell < grid * grid; cell++)
                own[n * grid * grid + cell] = sums[cell][n] * 0.25f;
    }
}
