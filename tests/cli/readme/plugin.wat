;; Something that is kept apart.
(component
  (core module $m (func (export "g") (result i32) i32.const 1))
  (core instance $i (instantiate $m))
  (func $g (result u32) (canon lift (core func $i "g")))
  (instance $plugin (export "g" (func $g)))
  (export "demo:app/plugin" (instance $plugin)))
