// A provider in C++: templates, virtual calls, references, namespaces.
extern "C" {
#include "lib.h"
}

namespace shapes {

struct Shape {
    virtual unsigned area_of_shape() const = 0;
    virtual unsigned twice_the_area() const { return 2 * area_of_shape(); }
};

template <unsigned Scale> struct Rectangle final : Shape {
    unsigned width, height;
    Rectangle(unsigned w, unsigned h) : width(w), height(h) {}
    unsigned area_of_shape() const override { return Scale * width * height; }
};

struct Triangle final : Shape {
    unsigned base, height;
    Triangle(unsigned b, unsigned h) : base(b), height(h) {}
    unsigned area_of_shape() const override { return base * height / 2; }
    unsigned twice_the_area() const override { return base * height; }
};

template <typename First, typename Second> __attribute__((noinline)) unsigned sum_of_areas(const First &a, const Second &b) {
    const Shape *both[2] = {&a, &b};
    unsigned sum = 0;
    for (const Shape *shape : both)
        sum += shape->twice_the_area();
    return sum;
}

static unsigned spare_areas(unsigned n) {
    Rectangle<7> unused_rectangle(n, n + 1);
    return unused_rectangle.area_of_shape() + weak_helper(n);
}

} // namespace shapes

extern "C" {
__attribute__((export_name("demo:debug/extra@1.0.0#spare"))) unsigned exported_spare(unsigned n) {
    return shapes::spare_areas(n);
}

__attribute__((export_name("demo:debug/work@1.0.0#run"))) unsigned exported_run(unsigned n) {
    shapes::Rectangle<3> rectangle(n, n + 1);
    shapes::Triangle triangle(n, 2 * n);
    return shapes::sum_of_areas(rectangle, triangle);
}

__attribute__((export_name("demo:debug/work@1.0.0#fail"))) unsigned exported_fail(unsigned n) {
    shapes::Triangle triangle(n, n);
    if (n > 10)
        __builtin_trap();
    return triangle.area_of_shape();
}

unsigned weak_helper(unsigned value) { return value + 5; }

void __cxa_pure_virtual() { __builtin_trap(); }
}
