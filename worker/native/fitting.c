/* Affine transforms that pairs of keypoints agree on, and how crowded the places are they end at. */

#include "kernels.h"

static inline double magnitude(double a) { return a < 0 ? -a : a; }

/* Fit an affine transform to the pairs for which `used`: `matrix` (3, 3), by least squares around
   their mean. Returns 0 where their places do not fix one. */
EXPORT int64_t needle_affine(const float *source, const float *target, const uint8_t *used,
                             int64_t count, double *matrix) {
    double own = 0, x0 = 0, y0 = 0, u0 = 0, v0 = 0;
    for (int64_t n = 0; n < count; n++)
        if (used[n]) {
            own++;
            x0 += source[2 * n];
            y0 += source[2 * n + 1];
            u0 += target[2 * n];
            v0 += target[2 * n + 1];
        }
    if (own < 3)
        return 0;
    x0 /= own;
    y0 /= own;
    u0 /= own;
    v0 /= own;
    double xx = 0, xy = 0, yy = 0, xu = 0, yu = 0, xv = 0, yv = 0;
    for (int64_t n = 0; n < count; n++)
        if (used[n]) {
            const double x = source[2 * n] - x0, y = source[2 * n + 1] - y0;
            const double u = target[2 * n] - u0, v = target[2 * n + 1] - v0;
            xx += x * x;
            xy += x * y;
            yy += y * y;
            xu += x * u;
            yu += y * u;
            xv += x * v;
            yv += y * v;
        }
    const double whole = xx * yy - xy * xy, spread = xx + yy;
    /* Places on a line, to a millionth of their spread, fix nothing across it. */
    if (!(whole > 1e-12 * spread * spread))
        return 0;
    const double a = (xu * yy - yu * xy) / whole, b = (yu * xx - xu * xy) / whole;
    const double c = (xv * yy - yv * xy) / whole, d = (yv * xx - xv * xy) / whole;
    const double rows[9] = {a, b, u0 - a * x0 - b * y0, c, d, v0 - c * x0 - d * y0, 0, 0, 1};
    for (int n = 0; n < 9; n++)
        matrix[n] = rows[n];
    return 1;
}

/* Tell which pairs a transform carries to within `near` of their place, and that turn and grow
   about as it does: `agree` (count). `turned` is in degrees, 0..360. Returns how many. */
EXPORT int64_t needle_agreeing(const float *source, const float *target, const float *turned,
                               const float *log_growth, int64_t count, const double *matrix,
                               double near, double turn, double grown, double most_turned,
                               double most_grown, uint8_t *agree) {
    int64_t sum = 0;
    for (int64_t n = 0; n < count; n++) {
        const double x = source[2 * n], y = source[2 * n + 1];
        const double depth = matrix[6] * x + matrix[7] * y + matrix[8];
        const double across = (matrix[0] * x + matrix[1] * y + matrix[2]) / depth - target[2 * n];
        const double down = (matrix[3] * x + matrix[4] * y + matrix[5]) / depth - target[2 * n + 1];
        const double round = magnitude(turned[n] - turn);
        const double apart = round < 360 - round ? round : 360 - round;
        const int own = (across * across + down * down < near * near) & (apart < most_turned) &
                        (magnitude(log_growth[n] - grown) < most_grown);
        agree[n] = (uint8_t)own;
        sum += own;
    }
    return sum;
}

/* Count how often one of `points` (count, 2) lies within `near` of one of `places` (most, 2). */
EXPORT int64_t needle_crowd(const float *points, int64_t count, const float *places, int64_t most,
                            float near) {
    int64_t sum = 0;
    float low_x = 0, high_x = -1, low_y = 0, high_y = -1;
    for (int64_t n = 0; n < most; n++) {
        const float x = places[2 * n], y = places[2 * n + 1];
        low_x = n ? smaller(low_x, x - near) : x - near;
        high_x = n ? larger(high_x, x + near) : x + near;
        low_y = n ? smaller(low_y, y - near) : y - near;
        high_y = n ? larger(high_y, y + near) : y + near;
    }
    for (int64_t n = 0; n < count; n++) {
        const float x = points[2 * n], y = points[2 * n + 1];
        if (!(x >= low_x && x <= high_x && y >= low_y && y <= high_y))
            continue;
        for (int64_t k = 0; k < most; k++) {
            const float across = places[2 * k] - x, down = places[2 * k + 1] - y;
            sum += across * across + down * down < near * near;
        }
    }
    return sum;
}
