package kernel

// loops are the element-wise loops of an instruction set. Each works on the n numbers
// from every pointer on.
type loops struct {
	add, multiply, relu           func(n int, y, x *float32)
	scale                         func(n int, y, x *float32, alpha float32)
	maskPositive                  func(n int, dx, dy, y *float32)
	exp, sigmoid, tanh, gelu, log func(n int, y, x *float32)
	expShifted                    func(n int, y, x *float32, shift float32)
	finite                        func(n int, x *float32) int
	decay                         func(n int, x *float32, factor float32)
	descend                       func(n int, x, g *float32, rate float32)
	momentum, nesterov            func(n int, x, m, g *float32, rate, momentum float32)
	adam                          func(n int, x, m, v, g *float32, c1, c2, rate, epsilon float32)
	amsgrad                       func(n int, x, m, v, g, top *float32, c1, c2, rate, epsilon float32)
	nadam                         func(n int, x, m, v, g *float32, c1, c2, a, b, c, rate, epsilon float32)
	rmsprop                       func(n int, x, v, g *float32, rho, c, rate, epsilon float32)
	adagrad                       func(n int, x, sum, g *float32, rate, epsilon float32)
	lion                          func(n int, x, m, g *float32, rate, b1, c1, b2, c2 float32)
}

// one runs fn on y and x, which has at most its length, and reports whether it did.
func one(fn func(n int, y, x *float32), y, x []float32) {
	if len(x) > 0 {
		fn(len(x), &y[:len(x)][0], &x[0])
	}
}
