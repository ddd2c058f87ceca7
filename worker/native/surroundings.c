/* Which way keypoints turn, and what is around them: SIFT's descriptor (Lowe, 2004), as RootSIFT. */

#include "kernels.h"

#define PI 3.14159265358979f

enum { MOST_SIDE = 16 };

typedef float Four __attribute__((vector_size(16)));

/* A picture, and a keypoint therein: its place and sigma in the picture's pixels. */
typedef struct {
    const int16_t *pixels;
    int64_t width, height;
    float x, y, sigma;
} Spot;

/* Read the picture at (x, y), between its pixels; beyond its edges it goes on as it ends. */
static inline float read_clamped(const Spot *s, float x, float y) {
    const float beyond = 1 << 20; /* no picture is so large: what is farther, or NaN, is at its edge */
    x = larger(-beyond, smaller(beyond, x));
    y = larger(-beyond, smaller(beyond, y));
    const float left = __builtin_floorf(x), top = __builtin_floorf(y);
    const int64_t x0 = within((int64_t)left, 0, s->width - 1);
    const int64_t x1 = within((int64_t)left + 1, 0, s->width - 1);
    const int64_t y0 = within((int64_t)top, 0, s->height - 1);
    const int64_t y1 = within((int64_t)top + 1, 0, s->height - 1);
    const int16_t *a = s->pixels + y0 * s->width, *b = s->pixels + y1 * s->width;
    const float across = x - left, down = y - top;
    const float over = a[x0] + (a[x1] - a[x0]) * across;
    const float under = b[x0] + (b[x1] - b[x0]) * across;
    return over + (under - over) * down;
}

/* Read a row of places, (x, y) and so much further each time, none of which lies outside. */
static void read_row(const Spot *s, int count, float x, float y, float along, float down,
                     float *row) {
    int32_t at[MOST_SIDE];
    float right[MOST_SIDE], below[MOST_SIDE], corners[4][MOST_SIDE];
    const int32_t width = (int32_t)s->width;
    for (int n = 0; n < MOST_SIDE; n++) {
        const float own_x = x + along * (float)n, own_y = y + down * (float)n;
        const int32_t left = (int32_t)own_x, top = (int32_t)own_y;
        right[n] = own_x - (float)left;
        below[n] = own_y - (float)top;
        at[n] = top * width + left;
    }
    for (int n = 0; n < count; n++) {
        const int16_t *a = s->pixels + at[n], *b = a + width;
        corners[0][n] = a[0];
        corners[1][n] = a[1];
        corners[2][n] = b[0];
        corners[3][n] = b[1];
    }
    for (int n = 0; n < count; n++) {
        const float over = corners[0][n] + (corners[1][n] - corners[0][n]) * right[n];
        const float under = corners[2][n] + (corners[3][n] - corners[2][n]) * right[n];
        row[n] = over + (under - over) * below[n];
    }
}

/* Read a turned square grid of places around a spot into (side, side), `reach` sigmas each way. */
static void read_grid(const Spot *s, int side, float reach, float cosine, float sine, float *grid) {
    const float step = s->sigma * 2 * reach / (float)(side - 1);
    const float far = s->sigma * reach * (__builtin_fabsf(cosine) + __builtin_fabsf(sine)) + 1;
    const int inside = s->x - far >= 0 && s->y - far >= 0 && s->x + far < (float)(s->width - 1) &&
                       s->y + far < (float)(s->height - 1);
    const float u = -s->sigma * reach, along = step * cosine, down = step * sine;
    for (int n = 0; n < side; n++) {
        const float v = step * (float)n - s->sigma * reach;
        const float x = s->x + u * cosine - v * sine, y = s->y + u * sine + v * cosine;
        float *row = grid + n * side;
        if (inside)
            read_row(s, side, x, y, along, down, row);
        else
            for (int m = 0; m < side; m++)
                row[m] = read_clamped(s, x + along * (float)m, y + down * (float)m);
    }
}

/* Return the angle of (x, y) in radians, 0..2 pi, to 0.0003 (Abramowitz and Stegun, 4.4.49). */
static inline float angle_of(float y, float x) {
    const float wide = __builtin_fabsf(x), high = __builtin_fabsf(y);
    const float ratio = smaller(wide, high) / larger(larger(wide, high), 1e-20f);
    const float square = ratio * ratio;
    float angle = ((-0.0464964749f * square + 0.15931422f) * square - 0.327622764f) * square * ratio +
                  ratio;
    angle = high > wide ? PI / 2 - angle : angle;
    angle = x < 0 ? PI - angle : angle;
    return y < 0 ? 2 * PI - angle : angle;
}

enum { TURN_GRID = 13, TURN_CELLS = TURN_GRID - 1, DIRECTIONS = 36, MOST_TURNS = DIRECTIONS / 2 };

/* Sum gradients around a spot by their directions. */
static void turning(const Spot *s, float reach, const float *weights, float *sums) {
    float grid[TURN_GRID * TURN_GRID];
    float strength[TURN_CELLS * TURN_CELLS], place[TURN_CELLS * TURN_CELLS];
    read_grid(s, TURN_GRID, reach, 1, 0, grid);
    for (int row = 0; row < TURN_CELLS; row++) {
        const float *a = grid + row * TURN_GRID, *b = a + TURN_GRID;
        for (int n = 0; n < TURN_CELLS; n++) {
            const float falling = b[n + 1] - a[n], rising = a[n + 1] - b[n];
            const float x = falling + rising, y = falling - rising;
            const int at = row * TURN_CELLS + n;
            strength[at] = weights[at] * __builtin_sqrtf(x * x + y * y);
            place[at] = angle_of(y, x) * (DIRECTIONS / (2 * PI));
        }
    }
    for (int n = 0; n < DIRECTIONS; n++)
        sums[n] = 0;
    for (int n = 0; n < TURN_CELLS * TURN_CELLS; n++) {
        const int lower = place[n] < DIRECTIONS ? (int)place[n] : 0; /* NaN as well */
        const float upper = strength[n] * (place[n] - (float)lower);
        sums[lower % DIRECTIONS] += strength[n] - upper;
        sums[(lower + 1) % DIRECTIONS] += upper;
    }
}

/* Find the peaks of a histogram that goes round, in radians, in their order. Returns how many. */
static int peaks(const float *sums, float rival, float *angles) {
    float smooth[DIRECTIONS], best = 0;
    for (int n = 0; n < DIRECTIONS; n++) {
        const int m = n + DIRECTIONS;
        smooth[n] = sums[n] * 6 + (sums[(m - 1) % DIRECTIONS] + sums[(m + 1) % DIRECTIONS]) * 4 +
                    sums[(m - 2) % DIRECTIONS] + sums[(m + 2) % DIRECTIONS];
        best = larger(best, smooth[n]);
    }
    int count = 0;
    for (int n = 0; n < DIRECTIONS && count < MOST_TURNS && best > 0; n++) {
        const float a = smooth[(n + DIRECTIONS - 1) % DIRECTIONS], b = smooth[n];
        const float c = smooth[(n + 1) % DIRECTIONS];
        if (!(b > a && b >= c && b >= rival * best))
            continue;
        float at = (float)n + 0.5f * (a - c) / smaller(a - 2 * b + c, -1e-9f);
        at = at < 0 ? at + DIRECTIONS : at >= DIRECTIONS ? at - DIRECTIONS : at;
        angles[count++] = at * (2 * PI / DIRECTIONS);
    }
    return count;
}

static Spot spot_of(const int16_t *const *pictures, const int64_t *sides, const int64_t *owners,
                    const float *places, const float *sigmas, int64_t n) {
    const int64_t owner = owners[n];
    const Spot spot = {pictures[owner], sides[2 * owner + 1], sides[2 * owner],
                       places[2 * n],   places[2 * n + 1],    sigmas[n]};
    return spot;
}

/* Tell which ways keypoints turn: `rows` and `angles`, room for MOST_TURNS of each. Returns how many.

   `owners` says which of the `pictures` each is in, whose heights and widths are `sides`. */
EXPORT int64_t needle_directions(const int16_t *const *pictures, const int64_t *sides,
                                 const int64_t *owners, const float *places, const float *sigmas,
                                 int64_t count, float reach, const float *weights, float rival,
                                 int64_t *rows, float *angles) {
    int64_t found = 0;
    for (int64_t n = 0; n < count; n++) {
        const Spot spot = spot_of(pictures, sides, owners, places, sigmas, n);
        float sums[DIRECTIONS];
        turning(&spot, reach, weights, sums);
        const int own = peaks(sums, rival, angles + found);
        for (int k = 0; k < own; k++)
            rows[found++] = n;
    }
    return found;
}

enum { GRID = 16, CELLS = GRID - 1, BINS = 4, EIGHT = 8, DIM = BINS * BINS * EIGHT };

/* Sum gradients along and across a keypoint's own direction into 4 x 4 bins of eight directions. */
static void described(const Spot *s, float reach, float angle_cos, float angle_sin,
                      const float *near, float *bins) {
    float grid[GRID * GRID], rows[BINS][EIGHT][GRID] = {{{0}}};
    read_grid(s, GRID, reach, angle_cos, angle_sin, grid);
    const float half = 0.70710678f;
    for (int y = 0; y < CELLS; y++) {
        const float *a = grid + y * GRID, *b = a + GRID;
        float towards[EIGHT][GRID];
        /* Directions run against the clock; the four after these are their opposites. */
        for (int x = 0; x < CELLS; x++) {
            const float falling = b[x + 1] - a[x], rising = a[x + 1] - b[x];
            const float along = falling + rising, across = falling - rising;
            towards[0][x] = along;
            towards[1][x] = (along - across) * half;
            towards[2][x] = -across;
            towards[3][x] = (-along - across) * half;
        }
        for (int k = 0; k < 4; k++) {
            towards[k][CELLS] = 0;
            for (int x = 0; x < GRID; x++)
                towards[k + 4][x] = -towards[k][x];
        }
        for (int k = 0; k < EIGHT; k++) {
            /* A gradient is shared by the two directions of eight that it lies between. */
            const float *before = towards[(k + 7) % EIGHT], *after = towards[(k + 1) % EIGHT];
            float own[GRID];
            for (int x = 0; x < GRID; x++)
                own[x] = larger(smaller(before[x], after[x]), 0);
            for (int bin = 0; bin < BINS; bin++) {
                const float weight = near[y * BINS + bin];
                if (weight == 0)
                    continue;
                for (int x = 0; x < GRID; x++)
                    rows[bin][k][x] += weight * own[x];
            }
        }
    }
    Four weights[CELLS];
    for (int x = 0; x < CELLS; x++)
        weights[x] = (Four){near[x * 4], near[x * 4 + 1], near[x * 4 + 2], near[x * 4 + 3]};
    for (int down = 0; down < BINS; down++)
        for (int k = 0; k < EIGHT; k++) {
            Four sums = {0};
            for (int x = 0; x < CELLS; x++)
                sums += weights[x] * rows[down][k][x];
            for (int across = 0; across < BINS; across++)
                bins[(down * BINS + across) * EIGHT + k] = sums[across];
        }
}

/* Bound what one number may be of the norm, and return RootSIFT of norm `scale` as bytes. */
static void rooted(const float *bins, float most, float scale, uint8_t *bytes) {
    float square = 0, sum = 0, bounded[DIM];
    for (int n = 0; n < DIM; n++)
        square += bins[n] * bins[n];
    const float bound = most * __builtin_sqrtf(square);
    for (int n = 0; n < DIM; n++) {
        bounded[n] = smaller(bins[n], bound);
        sum += bounded[n];
    }
    sum = larger(sum, 1e-6f);
    for (int n = 0; n < DIM; n++) {
        const float value = __builtin_sqrtf(bounded[n] / sum) * scale + 0.5f;
        bytes[n] = (uint8_t)smaller(value, 255);
    }
}

/* Describe keypoints that turn by `angles` (cosines and sines, (count, 2)): `bytes` (count, 128).

   `near` (15, 4) is how much a row or a column of the grid counts for each of four bins. */
EXPORT void needle_descriptors(const int16_t *const *pictures, const int64_t *sides,
                               const int64_t *owners, const float *places, const float *sigmas,
                               const float *turns, int64_t count, float reach, const float *near,
                               float most, float scale, uint8_t *bytes) {
    for (int64_t n = 0; n < count; n++) {
        const Spot spot = spot_of(pictures, sides, owners, places, sigmas, n);
        float bins[DIM];
        described(&spot, reach, turns[2 * n], turns[2 * n + 1], near, bins);
        rooted(bins, most, scale, bytes + n * DIM);
    }
}
