/* Which boxes show something else than those before them. */

#include "kernels.h"

static inline double greater(double a, double b) { return a > b ? a : b; }
static inline double lesser(double a, double b) { return a < b ? a : b; }

/* Greedily keep boxes (count, 4) of x1, y1, x2, y2, the best first: those whose IoU with every kept
   one is below `same`, or not above it unless `equal` is the same too. Writes the rows kept, at most
   `most`; `sides` is room for 5 * count numbers. Returns how many. */
EXPORT int64_t needle_apart(const double *boxes, int64_t count, double same, int64_t equal,
                            int64_t most, double *sides, int64_t *kept) {
    double *x1 = sides, *y1 = x1 + count, *x2 = y1 + count, *y2 = x2 + count, *area = y2 + count;
    int64_t found = 0;
    for (int64_t row = 0; row < count && found < most; row++) {
        const double *box = boxes + 4 * row;
        const double left = box[0], top = box[1], right = box[2], bottom = box[3];
        const double own = (right - left) * (bottom - top);
        int64_t alike = 0;
        for (int64_t start = 0; start < found && !alike; start += 64) {
            const int64_t end = start + 64 < found ? start + 64 : found;
            for (int64_t n = start; n < end; n++) {
                const double width = greater(lesser(right, x2[n]) - greater(left, x1[n]), 0);
                const double height = greater(lesser(bottom, y2[n]) - greater(top, y1[n]), 0);
                const double shared = width * height;
                const double all = own + area[n] - shared;
                const double iou = shared / (all > 1e-9 ? all : 1e-9);
                alike += (iou > same) | ((iou >= same) & (equal != 0));
            }
        }
        if (alike)
            continue;
        x1[found] = left;
        y1[found] = top;
        x2[found] = right;
        y2[found] = bottom;
        area[found] = own;
        kept[found++] = row;
    }
    return found;
}
