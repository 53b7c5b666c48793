;; Handle tables: the tables of all component instances of a fused output, in one memory that no guest can address.
;;
;; This is the spec's runtime state of resource handles ("Table State", "Resource State", and the lenders and borrow
;; counts of "Subtask State" and "Task State"), with one function for each thing that a canonical definition does to
;; it. What the definitions do besides is the adapter's: may_leave, entering the definer and its destructor, the rep
;; that a definer gets in place of a borrow of its own resource type (no handle, so no function here).
;;
;;   new-own        lower_own, canon resource.new
;;   take-own       lift_own
;;   peek           lift_own, if it will come to that
;;   rep            canon resource.rep
;;   drop           canon resource.drop, up to the destructor
;;   lend           lift_borrow, and Subtask.add_lender if the caller remembers the lender itself
;;   unlend         Subtask.deliver_resolve for one such lender
;;   lend-pushed    lift_borrow, and Subtask.add_lender with the lenders kept here: for borrows in lists
;;   lenders        the mark to hand to `release-to`, taken before the first `lend-pushed` of a call
;;   release-to     Subtask.deliver_resolve for all lenders pushed since the mark
;;   scope-enter    a task that borrows are lowered for
;;   lower-borrow   lower_borrow into an instance that does not define the resource type
;;   scope-exit     Task.return_: traps while the task holds borrows
;;
;; An outer boundary uses the same functions; then a rep is an outer handle, or a rep that the outer component knows.
;;
;; **Arguments.** `$table` is the address of a table's descriptor, a constant of the emitted code. `$type` is the
;; identity of a resource type as a constant that is not 0. Both come from `meldpy.runtime`. An index, a rep and a
;; scope are what they are; `lenders` and `scope-enter` give values to hand back and not to look at. Calls nest: a
;; host function may call back in at any time. So what belongs to one call is in its locals, in rows that nobody
;; else uses, or on the stack of lenders above the marks of all calls that are still running.
;;
;; **Rows.** Everything is a row of 16 bytes in a growing array of them. Row `i` of a table is handle `i`; row 0 stays
;; free for ever, as in the spec. An array's descriptor is a row too, at a fixed address: its words are where row 0
;; is, how many rows there are room for, and the index of the next free row. Zeros are an empty array, so the memory
;; needs no data. It has no page either before the first row of all is needed (or before anybody looks, if others of the
;; library work in it): to map pages costs an instance more than most have to do with handles. Until then no index is
;; known, no mark but 0 was given, and whatever needs a row grows.
;;
;;              +0               +4           +8             +12
;;   handle     type             rep          lends          0 for own, else the scope of the borrow
;;   free       0                next free    0              0
;;   scope      borrows held     next free
;;   lender     table            index
;;   descriptor first row        capacity     next free row  the descriptor that had its first room before
;;
;; The free rows are a list, last freed first, that ends in the rows which were never used, in ascending order: the
;; spec's `free.pop()`, and `array.append` when there is none. "Next free" is kept as the distance from the row that
;; follows, so that rows of zeros are linked already: no loop prepares them, and taking the last freed row and a new
;; one are the same instructions. Only room is checked: an index beyond it is unknown, and a free row inside it has
;; type 0, which no `$type` matches. So one comparison finds both holes and wrong types, and only a failure tells
;; them apart. Other kinds of handles (waitables and so on) can share a table: they are told by the type word, whose
;; low bits are kept for the kind, and the words behind are theirs.
;;
;; An array that is full doubles, in place if it is the last thing in the memory. Otherwise it moves and its old place
;; is lost; all the lost places of an array are together smaller than the array. Nothing else is ever freed, so all
;; new room is zeros. Nobody keeps an address inside of an array from one call to the next. So where the stack of the
;; outer edge lies in this memory too (`boundary.wat`), it is below all arrays, and they go up when it needs room
;; (`make-room`); but not where the heap has tasks as well, whose addresses are kept. No handle has an index above
;; 2^28 - 1 (spec: Table.MAX_LENGTH): 2^28 rows are all that a 32-bit memory can address, so the memory is full before.
;; That, too, traps as a full table.
;;
;; Counts need no check against overflow: each unit stands for a row, or for a local of a call that is still running.
;;
;; No function changes anything before its checks passed. The functions that a call with handles goes through call
;; nothing but what is rare: growth, and the named trap functions, which do not return.
(module
  (import "trap" "unknown handle index" (func $trap_unknown))
  (import "trap" "handle of the wrong resource type" (func $trap_type))
  (import "trap" "handle is lent" (func $trap_lent))
  (import "trap" "handle is not owned" (func $trap_not_owned))
  (import "trap" "borrow still held" (func $trap_held))
  (import "trap" "handle table full" (func $trap_full))

  ;; 0x0_0000  the number of bytes handed out of the heap
  ;; 0x0_0004  two words of the stack of the outer edge, if it is here
  ;; 0x0_000c  the number of bytes at the start of the heap that are for that stack
  ;; 0x0_0010  the descriptor of the scopes
  ;; 0x0_0020  the descriptor of the lenders
  ;; 0x0_0030  where the engine writes an event (`roots.wat`, `outer.wat`)
  ;; 0x0_0038  the descriptor that had its first room last
  ;; 0x0_0040  the descriptors of the tables: 12,284, more than an engine has instances
  ;; 0x3_0000  the heap
  (memory $handles 0)

  ;; --- handles ---------------------------------------------------------------------------------------------------

  ;; lower_own; canon resource.new. Returns the index.
  (func $handle.new_own (export "new-own") (param $table i32) (param $type i32) (param $rep i32) (result i32)
    (local $index i32) (local $row i32)
    (if (i32.eqz (memory.size))
      (then (return (call $handle.grow_for_own (local.get $table) (local.get $type) (local.get $rep)))))
    (local.set $index (i32.load offset=8 (local.get $table)))
    (if (i32.ge_u (local.get $index) (i32.load offset=4 (local.get $table)))
      (then (return (call $handle.grow_for_own (local.get $table) (local.get $type) (local.get $rep)))))
    (local.set $row
      (i32.add (i32.load (local.get $table)) (i32.shl (local.get $index) (i32.const 4))))
    (i32.store offset=8 (local.get $table)
      (i32.add
        (i32.add (local.get $index) (i32.const 1))
        (i32.load offset=4 (local.get $row))))
    (i32.store (local.get $row) (local.get $type))
    (i32.store offset=4 (local.get $row) (local.get $rep))
    local.get $index)

  ;; lift_own. Returns the rep.
  (func $handle.take_own (export "take-own") (param $table i32) (param $type i32) (param $index i32) (result i32)
    (local $row i32) (local $rep i32)
    (if (i32.eqz (memory.size)) (then (call $trap_unknown) unreachable))
    (if (i32.ge_u (local.get $index) (i32.load offset=4 (local.get $table)))
      (then (call $trap_unknown) unreachable))
    (local.set $row
      (i32.add (i32.load (local.get $table)) (i32.shl (local.get $index) (i32.const 4))))
    (if (i32.ne (i32.load (local.get $row)) (local.get $type))
      (then (call $handle.mismatch (local.get $row)) unreachable))
    ;; Neither lends nor a scope.
    (if (i64.ne (i64.load offset=8 (local.get $row)) (i64.const 0))
      (then (call $handle.not_free_to_go (local.get $row)) unreachable))
    (local.set $rep (i32.load offset=4 (local.get $row)))
    (i32.store (local.get $row) (i32.const 0))
    (i32.store offset=4 (local.get $row)
      (i32.sub
        (i32.load offset=8 (local.get $table))
        (i32.add (local.get $index) (i32.const 1))))
    (i32.store offset=8 (local.get $table) (local.get $index))
    local.get $rep)

  ;; What lift_own will return, for whoever may never come to that: 0, which is no handle of the engine's, where there is
  ;; no such handle, or it is not owned. It may be lent by now, and free by then. Ends have rows too, so the memory has
  ;; its pages.
  (func $handle.peek (export "peek") (param $table i32) (param $type i32) (param $index i32) (result i32)
    (local $row i32)
    (if (i32.ge_u (local.get $index) (i32.load offset=4 (local.get $table))) (then (return (i32.const 0))))
    (local.set $row
      (i32.add (i32.load (local.get $table)) (i32.shl (local.get $index) (i32.const 4))))
    (if
      (i32.or
        (i32.ne (i32.load (local.get $row)) (local.get $type))
        (i32.ne (i32.load offset=12 (local.get $row)) (i32.const 0)))
      (then (return (i32.const 0))))
    (i32.load offset=4 (local.get $row)))

  ;; canon resource.rep.
  (func $handle.rep (export "rep") (param $table i32) (param $type i32) (param $index i32) (result i32)
    (local $row i32)
    (if (i32.eqz (memory.size)) (then (call $trap_unknown) unreachable))
    (if (i32.ge_u (local.get $index) (i32.load offset=4 (local.get $table)))
      (then (call $trap_unknown) unreachable))
    (local.set $row
      (i32.add (i32.load (local.get $table)) (i32.shl (local.get $index) (i32.const 4))))
    (if (i32.ne (i32.load (local.get $row)) (local.get $type))
      (then (call $handle.mismatch (local.get $row)) unreachable))
    (i32.load offset=4 (local.get $row)))

  ;; canon resource.drop, up to the destructor. Returns whether the handle was an own handle, and its rep: if it was,
  ;; the caller has the destructor run.
  (func $handle.drop (export "drop") (param $table i32) (param $type i32) (param $index i32) (result i32 i32)
    (local $row i32) (local $rep i32) (local $scope i32)
    (if (i32.eqz (memory.size)) (then (call $trap_unknown) unreachable))
    (if (i32.ge_u (local.get $index) (i32.load offset=4 (local.get $table)))
      (then (call $trap_unknown) unreachable))
    (local.set $row
      (i32.add (i32.load (local.get $table)) (i32.shl (local.get $index) (i32.const 4))))
    (if (i32.ne (i32.load (local.get $row)) (local.get $type))
      (then (call $handle.mismatch (local.get $row)) unreachable))
    (if (i32.load offset=8 (local.get $row))
      (then (call $trap_lent) unreachable))
    (local.set $rep (i32.load offset=4 (local.get $row)))
    (local.set $scope (i32.load offset=12 (local.get $row)))
    (i32.store (local.get $row) (i32.const 0))
    (i32.store offset=4 (local.get $row)
      (i32.sub
        (i32.load offset=8 (local.get $table))
        (i32.add (local.get $index) (i32.const 1))))
    (i32.store offset=8 (local.get $table) (local.get $index))
    (if (local.get $scope)
      (then
        (i32.store offset=12 (local.get $row) (i32.const 0))
        ;; The row of the scope.
        (local.set $row (i32.add (i32.load offset=0x10 (i32.const 0)) (i32.shl (local.get $scope) (i32.const 4))))
        (i32.store (local.get $row) (i32.sub (i32.load (local.get $row)) (i32.const 1)))))
    (i32.eqz (local.get $scope))
    local.get $rep)

  ;; --- lending ---------------------------------------------------------------------------------------------------

  ;; lift_borrow; the caller remembers the index as that of a lender. Returns the rep.
  (func $handle.lend (export "lend") (param $table i32) (param $type i32) (param $index i32) (result i32)
    (local $row i32)
    (if (i32.eqz (memory.size)) (then (call $trap_unknown) unreachable))
    (if (i32.ge_u (local.get $index) (i32.load offset=4 (local.get $table)))
      (then (call $trap_unknown) unreachable))
    (local.set $row
      (i32.add (i32.load (local.get $table)) (i32.shl (local.get $index) (i32.const 4))))
    (if (i32.ne (i32.load (local.get $row)) (local.get $type))
      (then (call $handle.mismatch (local.get $row)) unreachable))
    (i32.store offset=8 (local.get $row)
      (i32.add (i32.load offset=8 (local.get $row)) (i32.const 1)))
    (i32.load offset=4 (local.get $row)))

  ;; Subtask.deliver_resolve, one lender. A lent handle cannot have gone, so nothing is checked.
  (func $handle.unlend (export "unlend") (param $table i32) (param $index i32)
    (local $row i32)
    (local.set $row
      (i32.add (i32.load (local.get $table)) (i32.shl (local.get $index) (i32.const 4))))
    (i32.store offset=8 (local.get $row)
      (i32.sub (i32.load offset=8 (local.get $row)) (i32.const 1))))

  ;; lift_borrow; the lender is pushed. Returns the rep.
  (func $handle.lend_pushed (export "lend-pushed") (param $table i32) (param $type i32) (param $index i32) (result i32)
    (local $row i32) (local $top i32) (local $lender i32)
    (if (i32.eqz (memory.size)) (then (call $trap_unknown) unreachable))
    (if (i32.ge_u (local.get $index) (i32.load offset=4 (local.get $table)))
      (then (call $trap_unknown) unreachable))
    (local.set $row
      (i32.add (i32.load (local.get $table)) (i32.shl (local.get $index) (i32.const 4))))
    (if (i32.ne (i32.load (local.get $row)) (local.get $type))
      (then (call $handle.mismatch (local.get $row)) unreachable))
    (local.set $top (i32.load offset=0x28 (i32.const 0)))
    (if (i32.ge_u (local.get $top) (i32.load offset=0x24 (i32.const 0)))
      (then (return (call $handle.grow_for_lender (local.get $table) (local.get $type) (local.get $index)))))
    (local.set $lender
      (i32.add (i32.load offset=0x20 (i32.const 0)) (i32.shl (local.get $top) (i32.const 4))))
    (i32.store (local.get $lender) (local.get $table))
    (i32.store offset=4 (local.get $lender) (local.get $index))
    (i32.store offset=0x28 (i32.const 0) (i32.add (local.get $top) (i32.const 1)))
    (i32.store offset=8 (local.get $row)
      (i32.add (i32.load offset=8 (local.get $row)) (i32.const 1)))
    (i32.load offset=4 (local.get $row)))

  ;; The mark of a call that is about to push its lenders.
  (func $handle.lenders (export "lenders") (result i32)
    (if (i32.eqz (memory.size)) (then (return (i32.const 0))))
    (i32.load offset=0x28 (i32.const 0)))

  ;; Subtask.deliver_resolve, all lenders above the mark.
  (func $handle.release_to (export "release-to") (param $mark i32)
    (local $top i32) (local $lender i32) (local $row i32)
    (if (i32.eqz (memory.size)) (then return))
    (local.set $top (i32.load offset=0x28 (i32.const 0)))
    block $done
      loop $next
        (br_if $done (i32.eq (local.get $top) (local.get $mark)))
        (local.set $top (i32.sub (local.get $top) (i32.const 1)))
        (local.set $lender
          (i32.add (i32.load offset=0x20 (i32.const 0)) (i32.shl (local.get $top) (i32.const 4))))
        (local.set $row
          (i32.add
            (i32.load (i32.load (local.get $lender)))
            (i32.shl (i32.load offset=4 (local.get $lender)) (i32.const 4))))
        (i32.store offset=8 (local.get $row)
          (i32.sub (i32.load offset=8 (local.get $row)) (i32.const 1)))
        (br $next)
      end
    end
    (i32.store offset=0x28 (i32.const 0) (local.get $mark)))

  ;; --- borrowing -------------------------------------------------------------------------------------------------

  ;; A scope is taken like a handle, and not stacked, since tasks need not end in the order in which they began.
  (func $handle.scope_enter (export "scope-enter") (result i32)
    (local $scope i32)
    (if (i32.eqz (memory.size)) (then (return (call $handle.grow_for_scope))))
    (local.set $scope (i32.load offset=0x18 (i32.const 0)))
    (if (i32.ge_u (local.get $scope) (i32.load offset=0x14 (i32.const 0)))
      (then (return (call $handle.grow_for_scope))))
    (i32.store offset=0x18 (i32.const 0)
      (i32.add
        (i32.add (local.get $scope) (i32.const 1))
        (i32.load offset=4
          (i32.add (i32.load offset=0x10 (i32.const 0)) (i32.shl (local.get $scope) (i32.const 4))))))
    local.get $scope)

  ;; lower_borrow. Returns the index.
  (func $handle.lower_borrow (export "lower-borrow")
    (param $table i32) (param $type i32) (param $rep i32) (param $scope i32) (result i32)
    (local $index i32) (local $row i32)
    (local.set $index (i32.load offset=8 (local.get $table)))
    (if (i32.ge_u (local.get $index) (i32.load offset=4 (local.get $table)))
      (then
        (return
          (call $handle.grow_for_borrow
            (local.get $table) (local.get $type) (local.get $rep) (local.get $scope)))))
    (local.set $row
      (i32.add (i32.load (local.get $table)) (i32.shl (local.get $index) (i32.const 4))))
    (i32.store offset=8 (local.get $table)
      (i32.add
        (i32.add (local.get $index) (i32.const 1))
        (i32.load offset=4 (local.get $row))))
    (i32.store (local.get $row) (local.get $type))
    (i32.store offset=4 (local.get $row) (local.get $rep))
    (i32.store offset=12 (local.get $row) (local.get $scope))
    (local.set $row (i32.add (i32.load offset=0x10 (i32.const 0)) (i32.shl (local.get $scope) (i32.const 4))))
    (i32.store (local.get $row) (i32.add (i32.load (local.get $row)) (i32.const 1)))
    local.get $index)

  ;; Task.return_. A scope that passes holds nothing, so its count is that of a free row already.
  (func $handle.scope_exit (export "scope-exit") (param $scope i32)
    (local $row i32)
    (local.set $row (i32.add (i32.load offset=0x10 (i32.const 0)) (i32.shl (local.get $scope) (i32.const 4))))
    (if (i32.load (local.get $row))
      (then (call $trap_held) unreachable))
    (i32.store offset=4 (local.get $row)
      (i32.sub
        (i32.load offset=0x18 (i32.const 0))
        (i32.add (local.get $scope) (i32.const 1))))
    (i32.store offset=0x18 (i32.const 0) (local.get $scope)))

  ;; --- failures --------------------------------------------------------------------------------------------------

  ;; A row's type is not the wanted one.
  (func $handle.mismatch (param $row i32)
    (if (i32.eqz (i32.load (local.get $row))) (then (call $trap_unknown)))
    (call $trap_type))

  ;; An own handle was wanted, and this one is lent, or borrowed, or both.
  (func $handle.not_free_to_go (param $row i32)
    (if (i32.load offset=8 (local.get $row)) (then (call $trap_lent)))
    (call $trap_not_owned))

  ;; --- growth ----------------------------------------------------------------------------------------------------

  ;; The functions above return what these return, so that nothing of theirs outlives a call and they save no register.

  (func $handle.grow_for_own (param $table i32) (param $type i32) (param $rep i32) (result i32)
    (call $handle.grow (local.get $table))
    (call $handle.new_own (local.get $table) (local.get $type) (local.get $rep)))

  (func $handle.grow_for_borrow (param $table i32) (param $type i32) (param $rep i32) (param $scope i32) (result i32)
    (call $handle.grow (local.get $table))
    (call $handle.lower_borrow (local.get $table) (local.get $type) (local.get $rep) (local.get $scope)))

  (func $handle.grow_for_scope (result i32)
    (call $handle.grow (i32.const 0x10))
    (call $handle.scope_enter))

  (func $handle.grow_for_lender (param $table i32) (param $type i32) (param $index i32) (result i32)
    (call $handle.double (i32.const 0x20))
    (call $handle.lend_pushed (local.get $table) (local.get $type) (local.get $index)))

  ;; Makes room behind the last row of an array whose first row is not used.
  (func $handle.grow (param $array i32)
    (call $handle.double (local.get $array))
    (if (i32.eqz (i32.load offset=8 (local.get $array)))
      (then (i32.store offset=8 (local.get $array) (i32.const 1)))))

  ;; Doubles the room of an array; the first room is 16 rows.
  (func $handle.double (param $array i32)
    (local $rows i32) (local $capacity i32) (local $size i64) (local $room i32)
    (if (i32.eqz (call $handle.begin))
      (then (call $trap_full) unreachable))
    (local.set $rows (i32.load (local.get $array)))
    (local.set $capacity (i32.load offset=4 (local.get $array)))
    (local.set $size (i64.shl (i64.extend_i32_u (local.get $capacity)) (i64.const 4)))
    (if (i32.eqz (local.get $capacity))
      (then
        (i32.store (local.get $array) (call $handle.allocate (i64.const 256)))
        (i32.store offset=4 (local.get $array) (i32.const 16))
        (i32.store offset=12 (local.get $array) (i32.load offset=0x38 (i32.const 0)))
        (i32.store offset=0x38 (i32.const 0) (local.get $array))
        (return)))
    (if
      (i64.eq
        (i64.add (i64.extend_i32_u (local.get $rows)) (local.get $size))
        (i64.add (i64.load32_u (i32.const 0)) (i64.const 0x3_0000)))
      (then
        (drop (call $handle.allocate (local.get $size))))
      (else
        (local.set $room (call $handle.allocate (i64.shl (local.get $size) (i64.const 1))))
        (memory.copy (local.get $room) (local.get $rows) (i32.wrap_i64 (local.get $size)))
        (i32.store (local.get $array) (local.get $room))))
    (i32.store offset=4 (local.get $array) (i32.shl (local.get $capacity) (i32.const 1))))

  ;; Room for the stack of the outer edge: `$more` bytes at least, behind what it has. Everything else in the heap must be
  ;; arrays, which go up. 0 if there is no such room; then nothing has changed.
  (func $handle.make_room (export "make-room") (param $more i64) (result i32)
    (local $from i32) (local $by i32) (local $end i32) (local $array i32)
    (if (i32.eqz (call $handle.begin)) (then (return (i32.const 0))))
    (local.set $from (i32.load offset=0x0c (i32.const 0)))
    ;; twice as much as it has, or a mebibyte more
    (local.set $by
      (select (local.get $from) (i32.const 0x10_0000) (i32.lt_u (local.get $from) (i32.const 0x10_0000))))
    (if (i64.lt_u (local.get $more) (i64.extend_i32_u (local.get $by)))
      (then (local.set $more (i64.extend_i32_u (local.get $by)))))
    (local.set $more
      (i64.and (i64.add (local.get $more) (i64.const 0x7fff)) (i64.const -0x8000)))
    (local.set $end (call $handle.extend (local.get $more)))
    (if (i32.eqz (local.get $end)) (then (return (i32.const 0))))
    (local.set $by (i32.wrap_i64 (local.get $more)))
    (i32.store offset=0x0c (i32.const 0) (i32.add (local.get $from) (local.get $by)))
    (local.set $from (i32.add (local.get $from) (i32.const 0x3_0000)))
    (memory.copy
      (i32.add (local.get $from) (local.get $by))
      (local.get $from)
      (i32.sub (local.get $end) (local.get $from)))
    (local.set $array (i32.load offset=0x38 (i32.const 0)))
    block $done
      loop $next
        (br_if $done (i32.eqz (local.get $array)))
        (i32.store (local.get $array) (i32.add (i32.load (local.get $array)) (local.get $by)))
        (local.set $array (i32.load offset=12 (local.get $array)))
        (br $next)
      end
    end
    i32.const 1)

  ;; The first pages: all descriptors, and a page of the heap. 0 if there are none to be had.
  (func $handle.begin (result i32)
    (if (memory.size) (then (return (i32.const 1))))
    (i32.ne (memory.grow (i32.const 4)) (i32.const -1)))

  ;; The next `$size` bytes of the heap, which are zeros.
  (func $handle.allocate (export "allocate") (param $size i64) (result i32)
    (local $start i32)
    (local.set $start (call $handle.extend (local.get $size)))
    (if (i32.eqz (local.get $start)) (then (call $trap_full) unreachable))
    local.get $start)

  ;; The same, or 0 if there is no such room. In 64 bits, so that nothing wraps around.
  (func $handle.extend (param $size i64) (result i32)
    (local $start i64) (local $end i64) (local $room i64)
    (local.set $start (i64.add (i64.load32_u (i32.const 0)) (i64.const 0x3_0000)))
    (local.set $end (i64.add (local.get $start) (local.get $size)))
    (if (i64.gt_u (local.get $end) (i64.const 0xFFFF_FFFF)) (then (return (i32.const 0))))
    (local.set $room (i64.shl (i64.extend_i32_u (memory.size)) (i64.const 16)))
    (if (i64.gt_u (local.get $end) (local.get $room))
      (then
        (if
          (i32.eq
            (memory.grow
              (i32.wrap_i64
                (i64.shr_u
                  (i64.add (i64.sub (local.get $end) (local.get $room)) (i64.const 0xFFFF))
                  (i64.const 16))))
            (i32.const -1))
          (then (return (i32.const 0))))))
    (i64.store32 (i32.const 0) (i64.sub (local.get $end) (i64.const 0x3_0000)))
    (i32.wrap_i64 (local.get $start))))
