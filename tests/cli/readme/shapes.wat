;; An interface with a record.
(component
  (core module $m (func (export "area") (param i32 i32) (result i32) local.get 0 local.get 1 i32.mul))
  (core instance $i (instantiate $m))
  (type $rect (record (field "w" u32) (field "h" u32)))
  (func $area (param "r" $rect) (result u32) (canon lift (core func $i "area")))
  (component $Shapes
    (type $r (record (field "w" u32) (field "h" u32)))
    (import "rect-in" (type $in (eq $r)))
    (import "area-in" (func $a (param "r" $in) (result u32)))
    (export $rect "rect" (type $in))
    (export "area" (func $a) (func (param "r" $rect) (result u32))))
  (instance $shapes (instantiate $Shapes (with "rect-in" (type $rect)) (with "area-in" (func $area))))
  (export "demo:geo/shapes@1.0.0" (instance $shapes)))
