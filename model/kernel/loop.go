package kernel

// loops are the element-wise loops of an instruction set. Each works on the n numbers
// from every pointer on.
type loops struct {
	add, multiply, relu           func(n int, y, x *float32)
	scale                         func(n int, y, x *float32, alpha float32)
	clamp                         func(n int, x *float32, bound float32)
	maskPositive, sigmoidSlope    func(n int, dx, dy, y *float32)
	tanhSlope, geluSlope          func(n int, dx, dy, y *float32)
	softplusSlope                 func(n int, dx, dy, x *float32)
	leakySlope, eluSlope          func(n int, dx, dy, x *float32, alpha float32)
	exp, sigmoid, tanh, gelu, log func(n int, y, x *float32)
	softplus                      func(n int, y, x *float32)
	leaky, elu                    func(n int, y, x *float32, alpha float32)
	finite                        func(n int, x *float32) int
	sum, squares                  func(n int, x *float32) float64
	max                           func(n int, x *float32) float32
	sumColumns                    func(cols, rows int, y, x *float32)
	logSumExp                     func(n int, x *float32) (largest float32, sum float64)
	softmax                       func(rows, cols int, y, x *float32) (largest float32, sum float64)
	transpose8                    func(squares int, y *float32, ystride int, x *float32, xstride int)
	decay                         func(n int, x *float32, factor float32)
	descend                       func(n int, x, g *float32, rate float32)
	momentum, nesterov            func(n int, x, m, g *float32, rate, momentum float32)
	adam                          func(n int, x, m, v, g *float32, c1, c2, rate, epsilon float32)
	amsgrad                       func(n int, x, m, v, g, top *float32, c1, c2, rate, epsilon float32)
	nadam                         func(n int, x, m, v, g *float32, c1, c2, a, b, c, rate, epsilon float32)
	rmsprop                       func(n int, x, v, g *float32, rho, c, rate, epsilon, momentum float32)
	rmspropMomentum               func(n int, x, v, g, m *float32, rho, c, rate, epsilon, momentum float32)
	rmspropCentered               func(n int, x, v, g, mean *float32, rho, c, rate, epsilon, momentum float32)
	rmspropMomentumCentered       func(n int, x, v, g, m, mean *float32, rho, c, rate, epsilon, momentum float32)
	adagrad                       func(n int, x, sum, g *float32, rate, epsilon float32)
	lion                          func(n int, x, m, g *float32, rate, b1, c1, b2, c2 float32)
}

// one runs fn on y and x, which has at most its length.
func one(fn func(n int, y, x *float32), y, x []float32) {
	if len(x) > 0 {
		fn(len(x), &y[:len(x):len(y)][0], &x[0])
	}
}
