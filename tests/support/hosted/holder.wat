;; A resource whose destructor tells the host; `make` gives the host an own handle, `forge` uses a handle that is none.
(component
  (import "test:host/calls" (instance $host (export "dropped" (func (param "rep" u32)))))
  (core func $dropped (canon lower (func $host "dropped")))
  (core module $dtor (import "" "dropped" (func $d (param i32))) (func (export "dtor") (param i32) (call $d (local.get 0))))
  (core instance $d (instantiate $dtor (with "" (instance (export "dropped" (func $dropped))))))
  (type $thing (resource (rep i32) (dtor (func $d "dtor"))))
  (core func $new (canon resource.new $thing))
  (core func $drop (canon resource.drop $thing))
  (core module $code
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
    (func (export "forge") (param i32) (call $drop (local.get 0))))
  (core instance $c (instantiate $code (with "" (instance (export "new" (func $new)) (export "drop" (func $drop))))))
  (export $exported "thing" (type $thing))
  (func (export "make") (param "rep" u32) (result (own $exported)) (canon lift (core func $c "make")))
  (func (export "forge") (param "handle" u32) (canon lift (core func $c "forge"))))
