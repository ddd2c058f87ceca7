/* Extrema of an octave over place and scale (Lowe, 2004): which pixels, and where between them. */

#include "kernels.h"

enum { SCALES = 3, PICTURES = SCALES + 3, LAYERS = SCALES + 2, MOVES = 3 };

/* A difference of two neighbouring blurred pictures. */
typedef struct {
    const int16_t *const *pictures;
    int64_t width;
} Octave;

static inline float difference(const Octave *octave, int64_t layer, int64_t at) {
    return (float)(octave->pictures[layer + 1][at] - octave->pictures[layer][at]);
}

typedef struct {
    float gradient[3], hessian[6], value, offset[3];
} Parabola;

/* Fit a parabola to a pixel's neighbours: first derivatives x, y, s, second xx, yy, ss, xy, xs, ys. */
static void fit(const Octave *octave, int64_t layer, int64_t at, Parabola *p) {
    const int64_t step[3] = {1, octave->width, 0};
    const int64_t rise[3] = {0, 0, 1};
    p->value = difference(octave, layer, at);
    for (int n = 0; n < 3; n++) {
        const float ahead = difference(octave, layer + rise[n], at + step[n]);
        const float behind = difference(octave, layer - rise[n], at - step[n]);
        p->gradient[n] = (ahead - behind) / 2;
        p->hessian[n] = ahead + behind - 2 * p->value;
    }
    const int first[3] = {0, 0, 1}, second[3] = {1, 2, 2};
    for (int n = 0; n < 3; n++) {
        const int a = first[n], b = second[n];
        const int64_t up = rise[a] + rise[b], along = step[a] + step[b];
        const int64_t cross = rise[a] - rise[b], apart = step[a] - step[b];
        p->hessian[3 + n] = (difference(octave, layer + up, at + along) -
                             difference(octave, layer + cross, at + apart) -
                             difference(octave, layer - cross, at - apart) +
                             difference(octave, layer - up, at - along)) /
                            4;
    }
    const float a = p->hessian[0], b = p->hessian[1], c = p->hessian[2];
    const float d = p->hessian[3], e = p->hessian[4], f = p->hessian[5];
    const float bc = b * c - f * f, de = e * f - d * c, ef = d * f - b * e;
    const float ac = a * c - e * e, ab = a * b - d * d, mixed = d * e - a * f;
    const float whole = a * bc + d * de + e * ef;
    const float x = p->gradient[0], y = p->gradient[1], s = p->gradient[2];
    const float tops[3] = {bc * x + de * y + ef * s, de * x + ac * y + mixed * s,
                           ef * x + mixed * y + ab * s};
    for (int n = 0; n < 3; n++)
        p->offset[n] = whole != 0 ? -tops[n] / whole : 9.0f; /* no top: far off */
}

static inline int far(float offset) { return offset > 0.5f || offset < -0.5f; }

typedef struct {
    int64_t height, border;
    float contrast, edge;
} Bounds;

/* Put an extremum where its parabola has its top. Returns whether it lasts; moves layer and at. */
static int refined(const Octave *octave, const Bounds *bounds, int64_t *layer, int64_t *at,
                   Parabola *p, float *contrast) {
    const int64_t width = octave->width;
    for (int move = 0;; move++) {
        fit(octave, *layer, *at, p);
        if (move + 1 == MOVES || !(far(p->offset[0]) || far(p->offset[1]) || far(p->offset[2])))
            break;
        /* Farther than a pixel is no top at all; it would only lead astray. */
        int64_t moved[3];
        for (int n = 0; n < 3; n++)
            moved[n] = far(p->offset[n]) ? (p->offset[n] > 0 ? 1 : -1) : 0;
        const int64_t x = *at % width + moved[0], y = *at / width + moved[1];
        const int64_t to = *layer + moved[2];
        if (to < 1 || to > SCALES || x < bounds->border || x >= width - bounds->border ||
            y < bounds->border || y >= bounds->height - bounds->border)
            return 0;
        *layer = to;
        *at = y * width + x;
    }
    float sum = p->value;
    for (int n = 0; n < 3; n++) {
        if (!(p->offset[n] <= 0.6f && p->offset[n] >= -0.6f))
            return 0;
        sum += 0.5f * p->gradient[n] * p->offset[n];
    }
    *contrast = sum < 0 ? -sum : sum;
    const float xx = p->hessian[0], yy = p->hessian[1], xy = p->hessian[3];
    const float bent = xx + yy, flatness = xx * yy - xy * xy, most = bounds->edge + 1;
    return *contrast >= bounds->contrast && flatness > 0 &&
           bent * bent * bounds->edge < most * most * flatness;
}

/* The differences of one row, and over three rows and columns the highest and the lowest of each
   layer. `rows` has room for 3 rows of each layer, of which row y is at y % 3. */
static void difference_row(const Octave *octave, int64_t y, int16_t *rows) {
    const int64_t width = octave->width;
    for (int layer = 0; layer < LAYERS; layer++) {
        const int16_t *before = octave->pictures[layer] + y * width;
        const int16_t *after = octave->pictures[layer + 1] + y * width;
        int16_t *row = rows + (layer * 3 + y % 3) * width;
        for (int64_t x = 0; x < width; x++)
            row[x] = (int16_t)(after[x] - before[x]);
    }
}

static inline int16_t higher(int16_t a, int16_t b) { return a > b ? a : b; }
static inline int16_t lower(int16_t a, int16_t b) { return a < b ? a : b; }

static void around(const int16_t *rows, int64_t width, int16_t *high, int16_t *low, int16_t *room) {
    int16_t *tall = room, *deep = room + width;
    for (int layer = 0; layer < LAYERS; layer++) {
        const int16_t *a = rows + layer * 3 * width, *b = a + width, *c = b + width;
        int16_t *highest = high + layer * width, *lowest = low + layer * width;
        for (int64_t x = 0; x < width; x++) {
            tall[x] = higher(higher(a[x], b[x]), c[x]);
            deep[x] = lower(lower(a[x], b[x]), c[x]);
        }
        for (int64_t x = 1; x < width - 1; x++) {
            highest[x] = higher(higher(tall[x - 1], tall[x]), tall[x + 1]);
            lowest[x] = lower(lower(deep[x - 1], deep[x]), deep[x + 1]);
        }
    }
}

/* Mark the pixels of a row that none of their 26 neighbours exceeds, above `least` or below -least. */
static void mark(const int16_t *row, const int16_t *high, const int16_t *low, int layer,
                 int64_t width, int16_t least, uint8_t *marked) {
    const int16_t *h0 = high + (layer - 1) * width, *h1 = h0 + width, *h2 = h1 + width;
    const int16_t *l0 = low + (layer - 1) * width, *l1 = l0 + width, *l2 = l1 + width;
    for (int64_t x = 1; x < width - 1; x++) {
        const int16_t top = higher(higher(h0[x], h1[x]), higher(h2[x], least));
        const int16_t bottom = lower(lower(l0[x], l1[x]), lower(l2[x], (int16_t)-least));
        marked[x] = (row[x] >= top) | (row[x] <= bottom);
    }
}

/* Find an octave's extrema in `pictures`, (height, width) each, blurred more and more.

   Writes at most `room` of them: `at`, the flat index among (layers, height, width); `offsets`
   (room, 3), from the pixel, x, y, scale; `contrasts`. Returns how many there are, in any order;
   two may have ended in one place. `work` has room for width * (5 * 5 + 2) int16 and width bytes. */
EXPORT int64_t needle_extrema(const int16_t *const *pictures, int64_t height, int64_t width,
                              int64_t border, int16_t least, float contrast, float edge,
                              int16_t *work, int64_t *at, float *offsets, float *contrasts,
                              int64_t room) {
    const Octave octave = {pictures, width};
    const Bounds bounds = {height, border, contrast, edge};
    int16_t *rows = work, *high = rows + LAYERS * 3 * width, *low = high + LAYERS * width;
    int16_t *spare = low + LAYERS * width;
    uint8_t *marked = (uint8_t *)(spare + 2 * width);
    int64_t found = 0;
    difference_row(&octave, border - 1, rows);
    difference_row(&octave, border, rows);
    for (int64_t y = border; y < height - border; y++) {
        difference_row(&octave, y + 1, rows);
        around(rows, width, high, low, spare);
        for (int layer = 1; layer <= SCALES; layer++) {
            mark(rows + (layer * 3 + y % 3) * width, high, low, layer, width, least, marked);
            for (int64_t x = border; x < width - border; x++) {
                if (!marked[x])
                    continue;
                int64_t own_layer = layer, place = y * width + x;
                Parabola p;
                float strength;
                if (!refined(&octave, &bounds, &own_layer, &place, &p, &strength))
                    continue;
                if (found < room) {
                    at[found] = own_layer * height * width + place;
                    for (int n = 0; n < 3; n++)
                        offsets[3 * found + n] = p.offset[n];
                    contrasts[found] = strength;
                }
                found++;
            }
        }
    }
    return found;
}
